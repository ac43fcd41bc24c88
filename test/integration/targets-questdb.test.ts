import { docBlocks } from "../support/docs.ts";
import { questDbRowOf, questDbRun, questDbTables, startQuestDb, storedRows } from "./support/questdb.ts";
import { testTarget, type TargetCase } from "./support/target-suite.ts";
import type { ServerProcess } from "./support/server-process.ts";

/** A line of each measurement with all tags and one field. Their rows are removed again. */
const FIRST_LINES = `vm_metrics,VMID=1,name=a,uuid=u,namespace=shop,node=n cpu_count=1i
vm_features,VMID=1,name=a,uuid=u,namespace=shop,node=n memory_angle_deg=1
vm_devices,VMID=1,name=a,uuid=u,devtype=nic,device=tap0,namespace=shop,node=n rxbytes=1i
vm_totals,VMID=1,name=a,uuid=u,namespace=shop,node=n cpus=1i
vm_vcpus,VMID=1,name=a,uuid=u,vcpu=0,namespace=shop,node=n state=1i
vm_disks,VMID=1,name=a,uuid=u,device=sda,namespace=shop,node=n,pvc=p rd_ns=1i
vm_memory,VMID=1,name=a,uuid=u,namespace=shop,node=n used_kb=1i
vm_status,VMID=1,name=a,uuid=u,namespace=shop,node=n stuck=1i
vm_cpu,VMID=1,name=a,uuid=u,namespace=shop,node=n vcpus_max=1i
vm_info,VMID=1,name=a,uuid=u,namespace=shop,node=n nics=1i
vm_disk_info,VMID=1,name=a,uuid=u,device=sda,namespace=shop,node=n bus="virtio"
vm_nic_info,VMID=1,name=a,uuid=u,device=tap0,namespace=shop,node=n mtu=1i
vm_raw,VMID=1,name=a,uuid=u,group=block,index=0,namespace=shop,node=n rd_times=1i
vm_events,VMID=1,name=a,uuid=u,event=reboot,namespace=shop,node=n count=1i
vm_jobs,VMID=1,name=a,uuid=u,operation=migration-out,namespace=shop,node=n elapsed_ms=1i
vm_node,node=n vms=1i
vm_agent,node=n cycles=1i
`;

/** Runs the statements of docs/targets.md, which need the tables that the first lines create. */
async function deduplicate(server: ServerProcess): Promise<void> {
  await server.ask("/write", { method: "POST", body: FIRST_LINES });
  const statements = docBlocks("docs/targets.md").filter(({ language }) => language === "sql");
  for (const statement of statements.flatMap(({ text }) => text.split(";").filter((part) => part.trim() !== "")))
    await questDbRun(server, statement);
  for (const table of await questDbTables(server)) await questDbRun(server, `TRUNCATE TABLE "${table}"`);
}

// QuestDB ignores the name of the database, so both targets write the same rows.
for (const [version, api] of Object.entries({
  v1: (database: string) => `v1: {database: ${database}}`,
  v2: (database: string) => `v2: {org: o, bucket: ${database}}`,
}))
  testTarget(`QuestDB 9.3.4, ${version}`, async (): Promise<TargetCase> => {
    const server = await startQuestDb();
    return {
      documented: "QuestDB",
      server,
      api,
      prepare: () => deduplicate(server),
      badLine: "rejected",
      typeConflict: "rejected",
      stored: () => storedRows(server),
      held: questDbRowOf,
    };
  });
