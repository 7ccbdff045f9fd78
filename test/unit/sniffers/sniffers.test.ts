import { describe, expect, test } from "vitest";
import { disassemble, parseFilter } from "../../../src/sniffers/filter-program.ts";
import { knownProgram } from "../../../src/sniffers/known-program.ts";
import { parseFilterListing, parseSocketTable } from "../../../src/sniffers/socket-table.ts";

describe("a filter", () => {
  test("is shown as tcpdump -d shows it", () => {
    const program = parseFilter(
      " 0x28 0 0 12, 0x15 0 8 2048, 0x30 0 0 23, 0x15 0 6 17, 0x28 0 0 20, 0x45 4 0 8191, 0xb1 0 0 14, 0x48 0 0 16, 0x15 0 1 7000, 0x06 0 0 262144, 0x06 0 0 0,",
    );
    expect(disassemble(program ?? [])).toEqual([
      "(000) ldh [12]",
      "(001) jeq #0x800 jt 2 jf 10",
      "(002) ldb [23]",
      "(003) jeq #0x11 jt 4 jf 10",
      "(004) ldh [20]",
      "(005) jset #0x1fff jt 10 jf 6",
      "(006) ldxb 4*([14]&0xf)",
      "(007) ldh [x + 16]",
      "(008) jeq #0x1b58 jt 9 jf 10",
      "(009) ret #262144",
      "(010) ret #0",
    ]);
  });

  test.each([
    ["0x20 0 0 0", "ld [0]"],
    ["0x80 0 0 0", "ld #len"],
    ["0x60 0 0 3", "ld M[3]"],
    ["0x01 0 0 5", "ldx #0x5"],
    ["0x02 0 0 1", "st M[1]"],
    ["0x03 0 0 2", "stx M[2]"],
    ["0x54 0 0 240", "and #0xf0"],
    ["0x0c 0 0 0", "add x"],
    ["0x05 0 0 4", "ja 5"],
    ["0x1d 1 0 0", "jeq x jt 2 jf 1"],
    ["0x16 0 0 0", "ret a"],
    ["0x07 0 0 0", "tax"],
    ["0x87 0 0 0", "txa"],
  ])("instruction %s is %s", (text, line) => {
    expect(disassemble(parseFilter(text) ?? [])).toEqual([`(000) ${line}`]);
  });

  test("of other words is none", () => {
    expect(parseFilter("0x28 0 0")).toBeUndefined();
    expect(parseFilter("ldh [12]")).toBeUndefined();
  });
});

test("sockets are read from the kernel's tables", () => {
  const packet = `sk               RefCnt Type Proto  Iface R Rmem   User   Inode
00000000a85df0d7 3      3    0003   1     1 0      0      6724774
`;
  const raw = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  63: 00000000:0001 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 6724356 2 000000009161dfa1 0
`;
  expect(parseSocketTable("packet", packet)).toEqual([{ kind: "packet", inode: 6_724_774, protocol: 3 }]);
  expect(parseSocketTable("raw", raw)).toEqual([{ kind: "raw", inode: 6_724_356, protocol: 1 }]);
  expect(parseSocketTable("raw6", "")).toEqual([]);
});

test("filters are found by the inode of their socket", () => {
  const listing = `p_raw 0 0 *:lo * users:(("tcpdump",pid=28675,fd=4)) ino:6724774 sk:75 ver:2 bpf filter (1):  0x06 0 0 262144,
p_raw 0 0 *:* * ino:77 sk:76
`;
  expect([...parseFilterListing(listing)]).toEqual([[6_724_774, "0x06 0 0 262144,"]]);
});

describe("a program is known", () => {
  test.each([
    { executable: "/usr/bin/tcpdump", command: ["tcpdump"], known: "somebody is looking" },
    {
      executable: "/usr/bin/node",
      command: ["node", "/opt/kg/dist/capture/capture-child.js"],
      known: "Knockgate's own capture",
    },
    { executable: "/usr/bin/node", command: ["node", "/tmp/server.js"], known: undefined },
    { executable: "/tmp/tcpdump", command: ["tcpdump"], known: undefined },
    { executable: "/usr/bin/tcpdump (deleted)", command: ["tcpdump"], known: undefined },
    { executable: "/dev/shm/kdmtmpflush", command: ["/sbin/dhclient"], known: undefined },
    { executable: "", command: ["/usr/bin/tcpdump"], known: undefined },
    { executable: "/usr/bin/constructor", command: [], known: undefined },
  ])("$executable as $command", ({ executable, command, known }) => {
    expect(knownProgram(executable, command)).toBe(known);
  });
});
