import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readDoorCommand } from "../../../src/policy/door-command.ts";
import { splitShell } from "../../../src/policy/shell-command.ts";

/** `accept+ source 22/tcp` for a rule that is added; `why` for what is not understood. */
function told(command: string): string[] {
  return readDoorCommand(command).map((read) => {
    if (read.kind === "pause") return `pause ${read.seconds}`;
    if (read.kind === "unknown") return `? ${read.why}`;
    if (read.kind !== "firewall") return read.kind;
    const { change, verdict, from, ports, lastsSeconds } = read.act;
    const texts = ports.map(({ first, last, protocol }) => `${first}${last === first ? "" : `-${last}`}/${protocol}`);
    const words = [`${verdict}${change === "add" ? "+" : "-"}`, from, ...texts];
    return [...words, ...(lastsSeconds === undefined ? [] : [`${lastsSeconds}s`])].join(" ");
  });
}

describe("a command of a door", () => {
  test.each([
    ["/usr/sbin/iptables  -I   INPUT -s %IP% -p tcp --dport 22 -j ACCEPT", ["accept+ source 22/tcp"]],
    ["iptables -D INPUT -s %IP%/32 -p udp --dport 1194 -j ACCEPT", ["accept- source 1194/udp"]],
    ["ip6tables -A INPUT -s %IP%/128 -p tcp --dport https -j ACCEPT", ["accept+ source 443/tcp"]],
    ["iptables -I INPUT -s 198.51.100.7 -p tcp --dport 22 -j ACCEPT", ["? its rule is for a fixed address"]],
    ["iptables -I INPUT ! -s %IP% -p tcp --dport 22 -j DROP", ["? its word ! is not known"]],
    ["iptables -D INPUT 3", ["? it removes a rule by its number"]],
    ["iptables -I INPUT -s %IP% -p icmp -j ACCEPT", ["? its protocol is icmp"]],
    ["iptables -I INPUT constructor", ["? its word constructor is not known"]],
    ["nft add element inet f s { %IP% . 2222 timeout 1h30m }", ["accept+ source 2222/tcp 5400s"]],
    ["nft 'delete element inet f s { %IP% . udp . 51820 }'", ["accept- source 51820/udp"]],
    ['nft add rule ip filter INPUT ip saddr %IP% udp dport 500-502 accept comment "k"', ["accept+ source 500-502/udp"]],
    [
      "nft add rule inet filter input tcp dport 22 ip daddr 192.0.2.1 accept",
      ["? its rule says more than source, ports and verdict"],
    ],
    ["nft -f /etc/nftables.d/open.nft", ["? it is none of nft's usual ways to open a port"]],
    ["ufw allow from %IP% to any port 80,443 proto tcp", ["accept+ source 80/tcp 443/tcp"]],
    ["ufw --force delete deny 3389", ["deny- anybody 3389/tcp 3389/udp"]],
    ["ufw delete 2", ["? it removes a rule by its number"]],
    ["firewall-cmd --add-port=8080-8081/tcp --timeout=5m", ["accept+ anybody 8080-8081/tcp 300s"]],
    ["firewall-cmd --zone=trusted --add-source=%IP%", ["? its option --add-source is not known"]],
    ["sudo -n ufw reload; iptables-save > /etc/rules && sleep 3", ["needless", "needless", "pause 3"]],
    ["sh -c 'ufw allow ssh'", ["accept+ anybody 22/tcp"]],
    ["ufw allow ssh || ufw enable", ["? what it does depends on whether a part of it fails"]],
    ["echo `id`", ["? it takes a shell to say what it does"]],
    ["(sleep 5; ufw deny ssh) &", ["? it takes a shell to say what it does"]],
    ["constructor x", ["? constructor is no firewall's program"]],
    ["", []],
  ] as const)("%s", (command, expected) => {
    expect(told(command)).toEqual(expected);
  });

  test("is read as it was before a web page made typography of it", () => {
    expect(told("iptables –I INPUT –s %IP% –p tcp —dport 22 –j ACCEPT")).toEqual(["accept+ source 22/tcp"]);
    expect(told("firewall-cmd –add-rich-rule=‘rule source address=“%IP%” service name=ssh accept’")).toEqual([
      "accept+ source 22/tcp",
    ]);
  });

  test("never throws, and takes no long time, whatever it is", () => {
    const words = fc.constantFrom(
      "iptables",
      "nft",
      "ufw",
      "firewall-cmd",
      "-I",
      "INPUT",
      "-s",
      "%IP%",
      "{",
      "}",
      "'",
      '"',
      "\\",
      "&&",
      ";",
      "|",
      "add",
      "rule",
      "element",
      "=",
      "–",
      "22",
      "--add-rich-rule=",
      "rule",
    );
    const lines = fc.oneof(
      fc.string(),
      fc.array(words, { maxLength: 30 }).map((each) => each.join(" ")),
    );
    fc.assert(
      fc.property(lines, (line) => void readDoorCommand(line)),
      { numRuns: 2000 },
    );
    expect(readDoorCommand(`nft add element ${"a ".repeat(20_000)}`)).toHaveLength(1);
  });
});

test.each([
  ['a \'b c\'"d\\"" e\\ f >/dev/null 2>&1; g', [["a", 'b cd"', "e f"], ["g"]]],
  ["a &&b||c", [["a"], ["b"], ["c"]]],
  [" ; ", []],
  ["a $HOME", undefined],
  ["a 'open", undefined],
  ["a | b", undefined],
  ["a &", undefined],
  ["if a; then b; fi", undefined],
])("the shell line %s is split", (line, words) => {
  expect(splitShell(line)?.map((command) => command.words)).toEqual(words);
});
