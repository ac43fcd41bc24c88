/** Most vCPUs whose CPUs are kept. */
const MAX_VCPUS = 4_096;
/** Longest text; it ends after a whole entry. */
const MAX_LENGTH = 256;

/** The CPUs of the host that each vCPU may run on, from the XML. */
export class VcpuPins {
  /** vCPU -> its CPUs, such as `0-3,8`. */
  readonly #pins = new Map<number, string>();
  #common: string | undefined;
  #count: number | undefined;

  /** Takes the first element `<vcpu>`: the number of vCPUs, and the CPUs of those without a pin. */
  takeCommon(count: number | undefined, cpus: () => string | undefined): void {
    if (this.#count !== undefined) return;
    this.#count = Math.min(count ?? 0, MAX_VCPUS);
    this.#common = cpus();
  }

  /** Takes an element `<vcpupin>`, the first one of each vCPU. */
  take(vcpu: string | undefined, cpus: () => string | undefined): void {
    if (vcpu === undefined || !/^\d{1,4}$/.test(vcpu) || Number(vcpu) >= MAX_VCPUS) return;
    const text = this.#pins.has(Number(vcpu)) ? undefined : cpus();
    if (text !== undefined) this.#pins.set(Number(vcpu), text);
  }

  /** The vCPUs that are pinned, such as `0-1`; undefined if none is. */
  get pinned(): string | undefined {
    return joined(
      this.#runs(() => "pinned").map(({ range }) => range),
      ",",
    );
  }

  /** vCPUs and their CPUs, such as `0-1:4-7 2:8`; undefined if none is pinned. */
  get affinity(): string | undefined {
    return joined(
      this.#runs((cpus) => cpus).map(({ range, value }) => `${range}:${value}`),
      " ",
    );
  }

  /** Returns the ranges of pinned vCPUs for which `valueOf` returns the same. */
  #runs(valueOf: (cpus: string) => string): readonly { readonly range: string; readonly value: string }[] {
    const runs: { first: number; last: number; readonly value: string }[] = [];
    const count = this.#common === undefined ? Math.max(-1, ...this.#pins.keys()) + 1 : (this.#count ?? 0);
    for (let vcpu = 0; vcpu < count; vcpu++) {
      const cpus = this.#pins.get(vcpu) ?? this.#common;
      if (cpus === undefined) continue;
      const value = valueOf(cpus);
      const run = runs.at(-1);
      if (run?.last === vcpu - 1 && run.value === value) run.last = vcpu;
      else runs.push({ first: vcpu, last: vcpu, value });
    }
    return runs.map(({ first, last, value }) => ({ range: first === last ? `${first}` : `${first}-${last}`, value }));
  }
}

function joined(entries: readonly string[], separator: string): string | undefined {
  let text = "";
  for (const entry of entries) {
    const longer = text === "" ? entry : text + separator + entry;
    if (longer.length > MAX_LENGTH) break;
    text = longer;
  }
  return text === "" ? undefined : text;
}
