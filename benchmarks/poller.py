"""Polls libvirt with a call per device, or with one bulk call; runs a cycle for every line of input."""

import math
import sys
import time
import urllib.request
import xml.etree.ElementTree as ElementTree

import libvirt

way, socket, url = sys.argv[1:]
NIC_FIELDS = ("rxbytes", "rxpackets", "rxerrors", "rxdrops", "txbytes", "txpackets", "txerrors", "txdrops")
NIC_STATS = ("rx.bytes", "rx.pkts", "rx.errs", "rx.drop", "tx.bytes", "tx.pkts", "tx.errs", "tx.drop")
DISK_FIELDS = ("rd_req", "rd_bytes", "wr_reqs", "wr_bytes", "errors")
DISK_STATS = ("rd.reqs", "rd.bytes", "wr.reqs", "wr.bytes", "errors")
BALLOON_STATS = ("current", "rss", "available", "usable", "swap_in", "swap_out", "major_fault", "minor_fault", "disk_caches")
MEMORY_STATS = ("actual", "rss", "available", "usable", "swap_in", "swap_out", "major_fault", "minor_fault", "disk_caches")
TOTALS = (
    *(f"net_{field}" for field in NIC_FIELDS),
    *(f"disk_{field}" for field in DISK_FIELDS),
    *("memactual", "memrss", "memavailable", "memusable", "memswap_in", "memswap_out"),
    *("memmajor_fault", "memminor_fault", "memdisk_cache", "timeusr", "timesys", "cpus", "cputime", "state"),
)
STATES = ("no state", "running", "blocked", "paused", "shutdown", "shutoff", "crashed", "suspended")
DEVICE_TTL_S = 300
GROUPS = {
    "bulk-all": 1023,
    "bulk-five": libvirt.VIR_DOMAIN_STATS_STATE
    | libvirt.VIR_DOMAIN_STATS_CPU_TOTAL
    | libvirt.VIR_DOMAIN_STATS_BALLOON
    | libvirt.VIR_DOMAIN_STATS_INTERFACE
    | libvirt.VIR_DOMAIN_STATS_BLOCK,
}

devices = {}
last_memory = {}


def device_names(domain):
    known = devices.get(domain.UUID())
    if known is None or known[0] < time.monotonic():
        root = ElementTree.fromstring(domain.XMLDesc())
        nics = [node.get("dev") for node in root.findall("./devices/interface/target")]
        disks = [node.get("dev") for node in root.findall("./devices/disk[@device='disk']/target")]
        known = devices[domain.UUID()] = (time.monotonic() + DEVICE_TTL_S, nics, disks)
    return known[1:]


def per_device(connection):
    for domain in connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE):
        nic_names, disk_names = device_names(domain)
        state, maximum, used, cpus, cpu_time = domain.info()
        cpu = domain.getCPUStats(True)[0]
        memory = domain.memoryStats()
        nics = [(name, domain.interfaceStats(name)) for name in nic_names]
        # Read requests, read bytes, write requests, write bytes, errors.
        disks = [(name, domain.blockStats(name)) for name in disk_names]
        times = (cpu.get("user_time", 0), cpu.get("system_time", 0), cpu_time)
        yield domain, state, (maximum, used, cpus), times, [memory.get(key, 0) for key in MEMORY_STATS], nics, disks


def bulk(connection):
    flags = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE
    for domain, stats in connection.getAllDomainStats(GROUPS[way], flags):
        read = lambda prefix, names: [stats.get(prefix + name, 0) for name in names]
        nics = [(stats[f"net.{i}.name"], read(f"net.{i}.", NIC_STATS)) for i in range(stats.get("net.count", 0))]
        disks = [(stats[f"block.{i}.name"], read(f"block.{i}.", DISK_STATS)) for i in range(stats.get("block.count", 0))]
        sizes = (stats["balloon.maximum"], stats["balloon.current"], stats.get("vcpu.current", 0))
        times = read("cpu.", ("user", "system", "time"))
        yield domain, stats["state.state"], sizes, times, read("balloon.", BALLOON_STATS), nics, disks


def integers(names, values):
    return ",".join(f"{name}={value}i" for name, value in zip(names, values))


def lines_of(domain, state, sizes, times, memory, nics, disks):
    maximum, used, cpus = sizes
    tags = f"VMID={domain.ID()},name={domain.name()},uuid={domain.UUIDString()}"
    now = time.time_ns()
    metrics = integers(("cpu_count", "memory_max_kb", "memory_used_kb", "cputime_ns"), (cpus, maximum, used, times[2]))
    yield f'vm_metrics,{tags} state="{STATES[state]}",{metrics} {now}'
    before = last_memory.get(domain.UUID())
    last_memory[domain.UUID()] = (used, now)
    if before is not None:
        rate = (used - before[0]) / ((now - before[1]) / 1e9)
        angle = math.degrees(math.atan(rate + 1e-12))
        yield f"vm_features,{tags} memory_rate_kb_per_sec={rate},memory_angle_deg={angle} {now}"
    for kind, fields, found in (("nic", NIC_FIELDS, nics), ("disk", DISK_FIELDS, disks)):
        for name, values in found:
            yield f"vm_devices,{tags},devtype={kind},device={name} {integers(fields, values)} {now}"
    sums = [sum(column) for column in zip(*(values for _, values in nics))]
    sums += [sum(column) for column in zip(*(values for _, values in disks))]
    yield f"vm_totals,{tags} {integers(TOTALS, (*sums, *memory, *times[:2], cpus, times[2], state))} {now}"


connection = libvirt.openReadOnly(f"qemu+unix:///system?socket={socket}")
for _ in sys.stdin:
    poll = per_device if way == "per-device" else bulk
    lines = [line for sample in poll(connection) for line in lines_of(*sample)]
    urllib.request.urlopen(f"{url}/write?db=telemetry", data="\n".join([*lines, ""]).encode()).close()
