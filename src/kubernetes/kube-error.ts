import { TelemetryError, type ErrorCode } from "../errors.ts";
import { networkFault, type Remedies } from "../lib/network-fault.ts";

type KubeErrorCode = Extract<ErrorCode, `E_KUBE_${string}`>;

/** The API server gave no answer, or one that is of no use. The message never holds a header. */
export class KubeError extends TelemetryError {
  override readonly name = "KubeError";
  /** Of the answer, if there was one. */
  readonly status: number | undefined;

  constructor(code: ErrorCode, message: string, { status, ...options }: ErrorOptions & { status?: number } = {}) {
    super(code, message, options);
    this.status = status;
  }
}

const REMEDIES: Remedies = {
  ECONNREFUSED: "nothing listens there",
  ENOTFOUND: "the host name does not resolve",
  EAI_AGAIN: "the name service does not answer",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "the certificate is of no authority that the configuration names",
  SELF_SIGNED_CERT_IN_CHAIN: "the certificate is of no authority that the configuration names",
  DEPTH_ZERO_SELF_SIGNED_CERT: "the certificate is of no authority that the configuration names",
  CERT_HAS_EXPIRED: "the API server's certificate has expired",
  ERR_TLS_CERT_ALTNAME_INVALID: "the certificate is for another name",
  ERR_SSL_WRONG_VERSION_NUMBER: "what listens there does not speak TLS",
  ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL: "what listens there does not speak HTTP/2",
};

/** Makes a KubeError of what the network threw; one that is a KubeError already stays as it is. */
export function toKubeError(thrown: unknown, code: KubeErrorCode, what: string): KubeError {
  if (thrown instanceof KubeError) return thrown;
  return new KubeError(code, `${what}: ${networkFault(thrown, REMEDIES).text}`, { cause: thrown });
}
