import { DISK_COUNTERS, NIC_COUNTERS, type Counters } from "../contract.ts";

/** A counter of a device, its field in `vm_devices` and the field of its sum in `vm_totals`. */
interface DeviceField<Name> {
  readonly counter: Name;
  readonly key: string;
  readonly total: string;
}

export const NIC_FIELDS = fieldsOf(NIC_COUNTERS, "net");
export const DISK_FIELDS = fieldsOf(DISK_COUNTERS, "disk");

function fieldsOf<Name extends string>(
  table: Readonly<Record<Name, { readonly field: string }>>,
  kind: "net" | "disk",
): readonly DeviceField<Name>[] {
  return (Object.keys(table) as Name[]).map((counter) => ({
    counter,
    key: table[counter].field,
    total: `${kind}_${table[counter].field}`,
  }));
}

/**
 * Returns the sum of a counter over the devices: 0 without devices, undefined if no device has the value. It is a number, which is
 * faster, as long as each step of it is exact.
 */
export function sumOf<Name extends string>(
  devices: readonly Counters<Record<Name, unknown>>[],
  { counter }: DeviceField<Name>,
): bigint | number | undefined {
  let sum: bigint | number | undefined = devices.length === 0 ? 0 : undefined;
  for (const device of devices) {
    const value = device[counter];
    if (value !== undefined) sum = sumOfTwo(sum ?? 0, value);
  }
  return sum;
}

function sumOfTwo(sum: bigint | number, value: bigint): bigint | number {
  if (typeof sum === "number") {
    const number = Number(value);
    const total = sum + number;
    if (Number.isSafeInteger(number) && Number.isSafeInteger(total)) return total;
  }
  return BigInt(sum) + value;
}
