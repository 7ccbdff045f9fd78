/** One instruction of a classic BPF program, struct sock_filter of linux/filter.h. */
export interface Instruction {
  readonly code: number;
  readonly jumpTrue: number;
  readonly jumpFalse: number;
  readonly operand: number;
}

const arithmetic = ["add", "sub", "mul", "div", "or", "and", "lsh", "rsh", "neg", "mod", "xor"] as const;
const jumps = ["ja", "jeq", "jgt", "jge", "jset"] as const;
const sizes: Readonly<Record<number, string>> = { 0: "", 8: "h", 16: "b" };

/**
 * Reads what ss(8) prints of a filter: `0x28 0 0 12, 0x15 0 11 34525, 0x06 0 0 262144,`. Undefined where it is something else.
 */
export function parseFilter(text: string): readonly Instruction[] | undefined {
  const parts = text.split(",").filter((part) => part.trim() !== "");
  const program = parts.map((part) => {
    const [code, jumpTrue, jumpFalse, operand] = part.trim().split(/\s+/).map(Number);
    return { code: code ?? -1, jumpTrue: jumpTrue ?? -1, jumpFalse: jumpFalse ?? -1, operand: operand ?? -1 };
  });
  return program.every((one) => Object.values(one).every((value) => Number.isInteger(value) && value >= 0))
    ? program
    : undefined;
}

/** One line an instruction, in the words of bpf_asm (Documentation/networking/filter.rst) with absolute jumps, as tcpdump -d has them. */
export function disassemble(program: readonly Instruction[]): readonly string[] {
  return program.map((one, at) => `(${String(at).padStart(3, "0")}) ${lineOf(one, at)}`);
}

/** The lowest three bits tell the class. */
function lineOf(instruction: Instruction, at: number): string {
  const { code, operand } = instruction;
  switch (code & 7) {
    case 0:
      return `ld${sizes[code & 0x18] ?? "?"} ${place(instruction)}`;
    case 1:
      return `ldx${(code & 0xe0) === 0xa0 ? "b" : ""} ${place(instruction)}`;
    case 2:
      return `st M[${operand}]`;
    case 3:
      return `stx M[${operand}]`;
    case 4:
      return `${arithmetic[code >> 4] ?? "?"} ${(code & 8) === 0 ? `#${hex(operand)}` : "x"}`;
    case 5:
      return jumpLine(instruction, at);
    case 6:
      return (code & 0x18) === 0x10 ? "ret a" : `ret #${operand}`;
    default:
      return (code & 0xf8) === 0x80 ? "txa" : "tax";
  }
}

/** Where a value is loaded from: a number, the packet, the packet behind x, memory, its length, or four times a nibble. */
function place({ code, operand }: Instruction): string {
  switch (code & 0xe0) {
    case 0x00:
      return `#${hex(operand)}`;
    case 0x20:
      return `[${operand}]`;
    case 0x40:
      return `[x + ${operand}]`;
    case 0x60:
      return `M[${operand}]`;
    case 0x80:
      return "#len";
    case 0xa0:
      return `4*([${operand}]&0xf)`;
    default:
      return "?";
  }
}

function jumpLine({ code, jumpTrue, jumpFalse, operand }: Instruction, at: number): string {
  const name = jumps[(code >> 4) & 0xf] ?? "j?";
  if (name === "ja") return `ja ${at + 1 + operand}`;
  return `${name} ${(code & 8) === 0 ? `#${hex(operand)}` : "x"} jt ${at + 1 + jumpTrue} jf ${at + 1 + jumpFalse}`;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
