import { lookup as systemLookup, type LookupAddress, type LookupAllOptions, type LookupOneOptions } from "node:dns";
import { errorCode } from "../../lib/error-code.ts";

/** More addresses of one name are not tried. */
const MAX_ADDRESSES = 8;
/** How long a connection waits for the name server if earlier addresses are known. */
const MAX_WAIT_MS = 1_000;

type Addresses = readonly LookupAddress[];
type Callback = (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family?: number) => void;
type SystemLookup = (
  host: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/**
 * Looks up the names that one target needs: its own, and that of a proxy. The process can do two lookups at a time, and a name
 * server that does not answer occupies one of them for half a minute. So a name has one lookup at a time. While its answer is
 * missing, the addresses of the last answer are used, so that the names of other targets do not cut off this one.
 */
export class TargetLookup {
  readonly #system: SystemLookup;
  readonly #maxWaitMs: number;
  readonly #running = new Map<string, Promise<Addresses>>();
  readonly #known = new Map<string, Addresses>();

  constructor(system: SystemLookup = systemLookup, maxWaitMs = MAX_WAIT_MS) {
    this.#system = system;
    this.#maxWaitMs = maxWaitMs;
  }

  /** The `lookup` of a connection. */
  readonly lookup = (host: string, options: LookupAllOptions | LookupOneOptions, callback: Callback): void => {
    this.#addressesOf(host, options).then(
      (addresses) => {
        const [first] = addresses;
        if (options.all === true) callback(null, [...addresses]);
        else callback(null, first?.address ?? "", first?.family);
      },
      (error: unknown) => {
        callback(error as NodeJS.ErrnoException, []);
      },
    );
  };

  async #addressesOf(host: string, options: LookupAllOptions | LookupOneOptions): Promise<Addresses> {
    const running = this.#running.get(host) ?? this.#start(host, options);
    const known = this.#known.get(host);
    if (known === undefined) return running;
    let timer: NodeJS.Timeout | undefined;
    const waited = new Promise<Addresses>((resolve) => {
      timer = setTimeout(resolve, this.#maxWaitMs, known);
    });
    try {
      return await Promise.race([running, waited]);
    } catch (error) {
      // Only this answer says that the name does not exist. With any other the name server does not know, or did not answer.
      if (errorCode(error) === "ENOTFOUND") throw error;
      return known;
    } finally {
      clearTimeout(timer);
    }
  }

  #start(host: string, options: LookupAllOptions | LookupOneOptions): Promise<Addresses> {
    const running = new Promise<Addresses>((resolve, reject) => {
      this.#system(host, { ...options, all: true }, (error, addresses) => {
        if (error !== null) {
          reject(error);
          return;
        }
        const some = addresses.slice(0, MAX_ADDRESSES);
        this.#known.set(host, some);
        resolve(some);
      });
    });
    this.#running.set(host, running);
    const ended = (): void => {
      this.#running.delete(host);
    };
    // Also handles a failure that no connection waits for any more.
    running.then(ended, ended);
    return running;
  }
}
