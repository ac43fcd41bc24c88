const BASE = 0x400000;
const ELF_HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;

/**
 * Returns commands of a guest's shell that write a byte to an I/O port of its x86-64. The kernel of the guests has no `/dev/port`,
 * so the commands write a small program and run it.
 */
export function portScript(port: number, value: number): string {
  const octal = [...program(port, value)].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`);
  return `printf '${octal.join("")}' > /out\nchmod 700 /out\n/out\n`;
}

/** Returns an executable file: a header, one segment to load, and the code. */
function program(port: number, value: number): Buffer {
  const code = Buffer.from([
    ...[0xb8, 0xac, 0, 0, 0], // mov eax, 172: iopl
    ...[0xbf, 3, 0, 0, 0], // mov edi, 3
    ...[0x0f, 0x05], // syscall
    ...[0x66, 0xba, port & 0xff, port >> 8], // mov dx, port
    ...[0xb0, value], // mov al, value
    0xee, // out dx, al
    ...[0xb8, 60, 0, 0, 0], // mov eax, 60: exit
    ...[0x31, 0xff], // xor edi, edi
    ...[0x0f, 0x05], // syscall
  ]);
  const start = ELF_HEADER_BYTES + PROGRAM_HEADER_BYTES;
  const file = Buffer.alloc(start + code.length);
  // 64 bits, little endian, version 1; an executable of x86-64.
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  file.writeUInt16LE(2, 16);
  file.writeUInt16LE(62, 18);
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(BigInt(BASE + start), 24);
  file.writeBigUInt64LE(BigInt(ELF_HEADER_BYTES), 32);
  file.writeUInt16LE(ELF_HEADER_BYTES, 52);
  file.writeUInt16LE(PROGRAM_HEADER_BYTES, 54);
  file.writeUInt16LE(1, 56);
  // The whole file is loaded, to read and to execute.
  file.writeUInt32LE(1, ELF_HEADER_BYTES);
  file.writeUInt32LE(5, ELF_HEADER_BYTES + 4);
  file.writeBigUInt64LE(BigInt(BASE), ELF_HEADER_BYTES + 16);
  file.writeBigUInt64LE(BigInt(BASE), ELF_HEADER_BYTES + 24);
  file.writeBigUInt64LE(BigInt(file.length), ELF_HEADER_BYTES + 32);
  file.writeBigUInt64LE(BigInt(file.length), ELF_HEADER_BYTES + 40);
  file.writeBigUInt64LE(4_096n, ELF_HEADER_BYTES + 48);
  file.set(code, start);
  return file;
}
