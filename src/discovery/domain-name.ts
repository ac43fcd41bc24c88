export interface ObjectName {
  readonly namespace: string;
  readonly name: string;
}

/** The name that virt-launcher gives the domain of a VMI. */
export function domainNameOf({ namespace, name }: ObjectName): string {
  return `${namespace}_${name}`;
}

/**
 * The VMI that a domain name speaks of; undefined when it is not of virt-launcher's form. Names in Kubernetes have no
 * underscore, so the first one is the separator.
 */
export function splitDomainName(domain: string): ObjectName | undefined {
  const at = domain.indexOf("_");
  const [namespace, name] = [domain.slice(0, at), domain.slice(at + 1)];
  return at > 0 && name !== "" && !name.includes("_") ? { namespace, name } : undefined;
}
