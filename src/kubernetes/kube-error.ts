import { TelemetryError, type ErrorCode } from "../errors.ts";
import { networkFault, type Remedies } from "../lib/network-fault.ts";

type KubeErrorCode = Extract<ErrorCode, `E_KUBE_${string}`>;

/** A missing or unusable answer of the API server. The message never contains a header. */
export class KubeError extends TelemetryError {
  override readonly name = "KubeError";
  /** Status of the answer; undefined if there was no answer. */
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
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "the configuration does not name the certificate's authority",
  SELF_SIGNED_CERT_IN_CHAIN: "the configuration does not name the certificate's authority",
  DEPTH_ZERO_SELF_SIGNED_CERT: "the configuration does not name the certificate's authority",
  CERT_HAS_EXPIRED: "the API server's certificate has expired",
  ERR_TLS_CERT_ALTNAME_INVALID: "the certificate is for another name",
  ERR_SSL_WRONG_VERSION_NUMBER: "the server does not speak TLS",
  ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL: "the server does not speak HTTP/2",
};

/** Returns a KubeError for a thrown value, or the value itself if it is one. `what` says what failed. */
export function toKubeError(thrown: unknown, code: KubeErrorCode, what: string): KubeError {
  if (thrown instanceof KubeError) return thrown;
  return new KubeError(code, `${what}: ${networkFault(thrown, REMEDIES).text}`, { cause: thrown });
}
