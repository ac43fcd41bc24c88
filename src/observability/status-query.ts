import { foreignText } from "../lib/display-text.ts";
import { linkTo, refreshSetting } from "./page.ts";

/** What the table of VMs can be sorted by. Names are sorted from A to Z, numbers with the highest first. */
const SORT_KEYS = ["name", "cpu", "memory", "resident", "disk", "network"] as const;
export type SortKey = (typeof SORT_KEYS)[number];

/** Characters of a name that the page shows, so a search can have as many. Kubernetes allows 63 and 253 for `namespace/name`. */
export const MAX_LABEL = 500;

/** Which VMs a reader wants to see. */
export interface VmQuery {
  /** Part of a name, in any case; empty for all. */
  readonly search: string;
  readonly sort: SortKey;
  /** From 1. */
  readonly page: number;
}

export interface StatusQuery extends VmQuery {
  readonly refreshOff: boolean;
}

/** Returns the query of a request. What it does not understand is as if it were not there. */
export function statusQuery(query: URLSearchParams): StatusQuery {
  const text = query.get("page") ?? "";
  const sort = query.get("sort");
  return {
    search: foreignText(query.get("q") ?? "", MAX_LABEL),
    sort: SORT_KEYS.find((key) => key === sort) ?? "name",
    page: Math.max(1, /^[0-9]{1,6}$/.test(text) ? Number(text) : 1),
    refreshOff: query.get("refresh") === "off",
  };
}

/** Returns the link to this query. Queries that mean the same have the same link. */
export function statusLink({ search, sort, page, refreshOff }: StatusQuery, path = "/"): string {
  return linkTo(path, {
    q: search,
    sort: sort === "name" ? "" : sort,
    page: page === 1 ? "" : String(page),
    refresh: refreshSetting(refreshOff),
  });
}

/** Returns the link to the page of a VM. */
export function vmLink(label: string, refreshOff: boolean): string {
  return linkTo("/vm", { name: label, refresh: refreshSetting(refreshOff) });
}
