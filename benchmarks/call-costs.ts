import { LibvirtClient } from "../src/libvirt/client.ts";
import { DOMAIN_FILTER, STATS_GROUP } from "../src/libvirt/protocol.ts";
import type { DomainRef } from "../src/libvirt/types.ts";
import { used, type BenchNode, type NodeUsage } from "./node.ts";
import { interleave, median } from "./rounds.ts";

/** The cost of one kind of call for all domains together, in milliseconds. */
export interface CallCost extends NodeUsage {
  readonly name: string;
  readonly wall: number;
}

interface Source {
  readonly name: string;
  /** Makes the calls once, for all domains. */
  readonly ask: (client: LibvirtClient, domains: readonly DomainRef[]) => Promise<unknown>;
}

const ROUNDS = 5;
/** Shortest duration of a sample. */
const SAMPLE_MS = 1_000;
const DEADLINE = { deadlineMs: 60_000 };
const { STATE, CPU_TOTAL, BALLOON, VCPU, INTERFACE, BLOCK } = STATS_GROUP;
/** The groups of Telegraf's default configuration: all that it knows. */
const TELEGRAF = 1023;

function bulk(name: string, groups: number, flags: number = DOMAIN_FILTER.ACTIVE | DOMAIN_FILTER.NOWAIT): Source {
  return { name, ask: (client) => client.allDomainStats({ groups, flags }, DEADLINE) };
}

function each(name: string, ask: (client: LibvirtClient, domain: DomainRef) => Promise<unknown>): Source {
  return {
    name: `${name}, each domain`,
    ask: (client, domains) => Promise.all(domains.map((domain) => ask(client, domain))),
  };
}

const SOURCES: readonly Source[] = [
  bulk("bulk: all groups that Telegraf asks for", TELEGRAF, 0),
  bulk(
    "bulk: state, cpu_total, balloon, vcpu, interface, block",
    STATE | CPU_TOTAL | BALLOON | VCPU | INTERFACE | BLOCK,
  ),
  bulk("bulk: cpu_total, balloon, interface, block", CPU_TOTAL | BALLOON | INTERFACE | BLOCK),
  bulk("bulk: balloon, interface, block", BALLOON | INTERFACE | BLOCK),
  bulk("bulk: interface, block", INTERFACE | BLOCK),
  bulk("bulk: state", STATE),
  bulk("bulk: cpu_total", CPU_TOTAL),
  bulk("bulk: balloon", BALLOON),
  bulk("bulk: vcpu", VCPU),
  bulk("bulk: interface", INTERFACE),
  bulk("bulk: block", BLOCK),
  { name: "LIST_ALL_DOMAINS", ask: (client) => client.listDomains(DOMAIN_FILTER.ACTIVE, DEADLINE) },
  each("DOMAIN_GET_INFO", (client, domain) => client.domainInfo(domain, DEADLINE)),
  each("DOMAIN_GET_CPU_STATS", (client, domain) => client.domainCpuStats(domain, DEADLINE)),
  each("DOMAIN_GET_XML_DESC", (client, domain) => client.domainXml(domain, DEADLINE)),
];

/** Measures the cost of every candidate source of the statistics on this machine. */
export async function measureCallCosts(node: BenchNode): Promise<readonly CallCost[]> {
  using client = await LibvirtClient.open(node.socket, DEADLINE);
  const domains = await client.listDomains(DOMAIN_FILTER.ACTIVE, DEADLINE);
  const results = await interleave(SOURCES, ROUNDS, async ({ ask }) => {
    const before = node.usage();
    const begun = performance.now();
    let calls = 0;
    while (performance.now() - begun < SAMPLE_MS) {
      await ask(client, domains);
      calls++;
    }
    const wall = (performance.now() - begun) / calls;
    return { wall, ...used(before, node.usage(), calls) };
  });
  return [...results].map(([{ name }, samples]) => ({
    name,
    wall: median(samples, ({ wall }) => wall),
    libvirtd: median(samples, ({ libvirtd }) => libvirtd),
    qemus: median(samples, ({ qemus }) => qemus),
  }));
}
