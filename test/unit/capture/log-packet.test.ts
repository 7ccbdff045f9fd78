import { describe, expect, test } from "vitest";
import { readLogPacket } from "../../../src/capture/log-packet.ts";
import { KnockBuffer } from "../../../src/decode/knock-buffer.ts";
import { knockText } from "../../fixture/capture-watch.ts";

/** As Linux 6.18 writes them. */
const tcp =
  "IN=eth0 OUT= MAC=02:77:00:00:00:01:02:77:00:00:00:02:08:00 SRC=192.0.2.1 DST=192.0.2.9 LEN=60 TOS=0x00 PREC=0x00 TTL=64 ID=55216 DF PROTO=TCP SPT=42132 DPT=7001 WINDOW=65495 RES=0x00 SYN URGP=0 ";
const sequenced = tcp.replace("DPT=7001 ", "DPT=7001 SEQ=1510926105 ACK=0 ");
const udp =
  "IN=eth0 OUT= MAC= SRC=192.0.2.1 DST=192.0.2.9 LEN=29 TOS=0x00 PREC=0x00 TTL=64 ID=2689 DF PROTO=UDP SPT=33885 DPT=7000 LEN=9 ";
const six =
  "IN=eth0 OUT= MAC= SRC=2001:0db8:0000:0000:0000:0000:0000:0001 DST=2001:0db8:0000:0000:0000:0000:0000:0009 LEN=49 TC=0 HOPLIMIT=64 FLOWLBL=962956 PROTO=UDP SPT=35766 DPT=7000 LEN=9 ";
const error =
  "IN=eth0 OUT= MAC= SRC=192.0.2.1 DST=192.0.2.9 LEN=57 TOS=0x00 PREC=0xC0 TTL=64 ID=42483 PROTO=ICMP TYPE=3 CODE=3 [SRC=192.0.2.9 DST=192.0.2.1 LEN=29 TOS=0x00 PREC=0x00 TTL=64 ID=2689 DF PROTO=UDP SPT=33885 DPT=7000 LEN=9 ] ";

function read(text: string) {
  const knock = new KnockBuffer();
  const packet = readLogPacket(text, knock);
  return { packet, knock };
}

describe("a packet in the log", () => {
  test.each([
    { name: "TCP", text: tcp, shown: "192.0.2.1:42132 > 192.0.2.9:7001/tcp", flags: 2, sequenceNumber: 0, ipId: 0 },
    {
      name: "TCP with its sequence number",
      text: sequenced,
      shown: "192.0.2.1:42132 > 192.0.2.9:7001/tcp",
      flags: 2,
      sequenceNumber: 1510926105,
      ipId: 0,
    },
    {
      name: "TCP with flags",
      text: tcp.replace("SYN ", "ECE URG ACK PSH SYN FIN "),
      shown: "192.0.2.1:42132 > 192.0.2.9:7001/tcp",
      flags: 0x3b,
      sequenceNumber: 0,
      ipId: 0,
    },
    {
      name: "TCP without flags",
      text: tcp.replace("SYN ", ""),
      shown: "192.0.2.1:42132 > 192.0.2.9:7001/tcp",
      flags: 0,
      sequenceNumber: 0,
      ipId: 0,
    },
    {
      name: "UDP",
      text: udp,
      shown: "192.0.2.1:33885 > 192.0.2.9:7000/udp",
      flags: 0,
      sequenceNumber: 9 << 16,
      ipId: 2689,
    },
    {
      name: "UDP without the last blank",
      text: udp.trimEnd(),
      shown: "192.0.2.1:33885 > 192.0.2.9:7000/udp",
      flags: 0,
      sequenceNumber: 9 << 16,
      ipId: 2689,
    },
    {
      name: "IPv6",
      text: six,
      shown: "2001:db8::1:35766 > 2001:db8::9:7000/udp",
      flags: 0,
      sequenceNumber: 9 << 16,
      ipId: 0,
    },
    {
      name: "of a bridge, with a mark and options",
      text: `${tcp.replace("IN=eth0 OUT= ", "IN=eth0 OUT= PHYSIN=p1 ").replace("PROTO=", "OPT (0102) PROTO=")}OPT (020405B4) MARK=0x1 `,
      shown: "192.0.2.1:42132 > 192.0.2.9:7001/tcp",
      flags: 2,
      sequenceNumber: 0,
      ipId: 0,
    },
  ])("$name", ({ name: _, text, shown, ...expected }) => {
    const { packet, knock } = read(text);
    expect(packet).toEqual({ in: "eth0" });
    expect(knockText(knock)).toBe(shown);
    expect(knock).toMatchObject(expected);
  });
});

describe("no knock is", () => {
  test.each([
    { name: "an ICMP error about one", text: error, dropped: "other-protocol" },
    { name: "what leaves", text: udp.replace("IN=eth0 OUT=", "IN= OUT=eth0"), dropped: "outgoing" },
    { name: "what passes through", text: udp.replace("OUT=", "OUT=eth1"), dropped: "outgoing" },
    { name: "a later fragment", text: udp.replace("PROTO=", "FRAG:185 PROTO="), dropped: "later-fragment" },
    { name: "a port that is none", text: udp.replace("DPT=7000", "DPT=70000"), dropped: "malformed" },
    {
      name: "a sequence number that is none",
      text: sequenced.replace("1510926105", "4294967296"),
      dropped: "malformed",
    },
    { name: "an address that is none", text: udp.replace("192.0.2.1 ", "192.0.2.256 "), dropped: "malformed" },
    { name: "from multicast", text: udp.replace("192.0.2.1 ", "224.0.0.1 "), dropped: "malformed" },
    { name: "from loopback", text: udp.replace("192.0.2.1 ", "127.0.0.1 "), dropped: "malformed" },
    { name: "of two families", text: udp.replace("SRC=192.0.2.1", "SRC=2001:db8::1"), dropped: "malformed" },
    {
      name: "an IPv4 address in disguise",
      text: six.replace("2001:0db8:0000:0000:0000:0000:0000:0001", "0000:0000:0000:0000:0000:ffff:c000:0201"),
      dropped: "malformed",
    },
  ])("$name", ({ text, dropped }) => {
    expect(read(text).packet).toEqual({ dropped });
  });

  test.each([tcp, sequenced, udp, six])("a line cut anywhere: %s", (text) => {
    const end = text.includes("URGP") ? text.indexOf("URGP=") + 6 : text.lastIndexOf("LEN=") + 5;
    for (let length = 0; length < end; length++)
      expect(read(text.slice(0, length)).packet, text.slice(0, length)).toHaveProperty("dropped");
    expect(read(text.slice(0, end)).packet).toEqual({ in: "eth0" });
  });
});
