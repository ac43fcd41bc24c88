import { domainOverviews, onlyDomains, vmLabel, type DomainOverview } from "../collection/domain-overview.ts";
import type { DomainSample } from "../collection/domain-sample.ts";
import { foreignText } from "../lib/display-text.ts";
import type { PastLoads } from "../collection/load-history.ts";
import type { AgentView, EndpointView } from "./agent-view.ts";
import { MAX_LABEL, type SortKey, type VmQuery } from "./status-query.ts";

/** VMs on one page. */
export const PAGE_VMS = 200;
const SORT_LOADS = { cpu: "cpuPercent", disk: "diskBytes", network: "netBytes" } as const;

/** A VM of a snapshot. Its load is not calculated yet. */
export interface ListedVm {
  readonly label: string;
  readonly endpoint: EndpointView;
  readonly sample: DomainSample;
}

/** A VM as a page shows it. */
export interface ShownVm extends DomainOverview {
  readonly endpoint: EndpointView;
  readonly past: PastLoads | undefined;
}

export interface VmPage {
  /** Of this page. */
  readonly vms: readonly ListedVm[];
  /** Number of VMs that the search finds. */
  readonly matching: number;
  readonly page: number;
  readonly pages: number;
}

/**
 * The VMs of one snapshot, sorted by name. Only what every page needs is calculated for all VMs: of thousands, loads alone would
 * block the process for tens of milliseconds.
 */
export class VmList {
  readonly all: readonly ListedVm[];
  readonly #history: AgentView["history"];
  /** Search, in lower case -> what it found. The pages of a snapshot are few, and so are the searches. */
  readonly #searches = new Map<string, readonly ListedVm[]>();

  constructor({ libvirt, history }: Pick<AgentView, "libvirt" | "history">) {
    this.#history = history;
    this.all = libvirt.endpoints
      .flatMap((endpoint) =>
        endpoint.samples.map((sample): ListedVm => ({ label: vmLabel(sample.identity), endpoint, sample })),
      )
      .sort((a, b) => (a.label < b.label ? -1 : a.label > b.label ? 1 : 0));
  }

  /** Returns the VMs of a page. A page that does not exist is the nearest one. */
  page({ search, sort, page: wanted }: VmQuery): VmPage {
    const found = this.#found(search);
    const pages = pagesOf(found);
    const page = Math.min(wanted, pages);
    const first = (page - 1) * PAGE_VMS;
    return { vms: this.#sorted(found, sort).slice(first, first + PAGE_VMS), matching: found.length, page, pages };
  }

  /** Returns whether it is already known what this search finds. Otherwise the names of all VMs must be looked at. */
  isSearched({ search }: Pick<VmQuery, "search">): boolean {
    return search === "" || this.#searches.has(search.toLowerCase());
  }

  /** Returns the number of the page that `page` returns, and sorts nothing for it. */
  nearestPage({ search, page }: VmQuery): number {
    return page === 1 ? page : Math.min(page, pagesOf(this.#found(search)));
  }

  /** Returns the VMs with this name. On a host with several daemons there may be more than one. */
  named(label: string): readonly ListedVm[] {
    return this.all.filter((vm) => vm.label === label);
  }

  /** Returns these VMs, in this order, with their loads. */
  shown(vms: readonly ListedVm[]): readonly ShownVm[] {
    const byEndpoint = Map.groupBy(vms, ({ endpoint }) => endpoint);
    const overviews = new Map(
      [...byEndpoint].flatMap(([endpoint, listed]) =>
        domainOverviews(
          onlyDomains(
            endpoint,
            listed.map(({ sample }) => sample),
          ),
        ).map((overview) => [overview.sample, overview] as const),
      ),
    );
    return vms.flatMap(({ sample, endpoint }): ShownVm[] => {
      const overview = overviews.get(sample);
      const past = this.#history.of(endpoint.endpoint, sample.identity.uuid);
      return overview === undefined ? [] : [{ ...overview, endpoint, past }];
    });
  }

  #found(search: string): readonly ListedVm[] {
    const wanted = search.toLowerCase();
    if (wanted === "") return this.all;
    let found = this.#searches.get(wanted);
    if (found === undefined) {
      found = this.all.filter(({ label }) => isMatch(label, wanted));
      this.#searches.set(wanted, found);
    }
    return found;
  }

  #sorted(vms: readonly ListedVm[], by: SortKey): readonly ListedVm[] {
    if (by === "name") return vms;
    const valued = vms.map((vm) => ({ vm, value: this.#value(vm, by) }));
    return valued.sort((a, b) => b.value - a.value).map(({ vm }) => vm);
  }

  /** Returns what VMs are sorted by; -1 if it is not known. */
  #value({ endpoint, sample }: ListedVm, by: Exclude<SortKey, "name">): number {
    if (by === "memory") return Number(sample.memory.current ?? -1n);
    if (by === "resident") return Number(sample.memory.rss ?? -1n);
    return this.#history.latest(endpoint.endpoint, sample.identity.uuid, SORT_LOADS[by]) ?? -1;
  }
}

function pagesOf(vms: readonly ListedVm[]): number {
  return Math.max(1, Math.ceil(vms.length / PAGE_VMS));
}

function isMatch(label: string, search: string): boolean {
  return foreignText(label, MAX_LABEL).toLowerCase().includes(search);
}
