import { isUtf8 } from "node:buffer";
import { constants } from "node:fs";
import { type FileHandle, open, readdir, realpath, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { WrittenText } from "../policy/document.ts";
import { readKnockdConf } from "../policy/knockd-conf.ts";
import type { WrittenSnapshot } from "./config-source.ts";

/** What there is to read, found without reading a file. */
export interface Survey {
  readonly files: readonly string[];
  readonly failures: readonly string[];
  /** Folders in which a change would show, the real ones behind symbolic links too. */
  readonly folders: readonly string[];
  /** Equal while nothing has changed, as far as names, inodes, sizes and times tell. */
  readonly signature: string;
}

/** What was read. */
export interface FilesRead {
  readonly snapshot: WrittenSnapshot;
  /** Of the survey with these companions. */
  readonly signature: string;
  /** The one-time files that knockd.conf files name. */
  readonly companions: readonly string[];
}

/** Bounds: what a configuration never needs, and what a mistaken path (`/`) would otherwise cost. */
const mostFiles = 1000;
const mostFileBytes = 1 << 20;
const mostBytes = 8 << 20;
/** How often a set of files that changes while it is read is read again before the last state is taken. */
const mostTries = 3;

/** Whether a file of a folder, or a key of a ConfigMap, is taken for a text of configuration. */
export function isConfigName(name: string): boolean {
  return /^[^.].*\.(yaml|yml|json)$/.test(name);
}

/**
 * Reads files, and the `*.yaml`, `*.yml` and `*.json` directly in folders, by name. Hidden entries are skipped, the
 * kubelet's `..data` among them, symbolic links followed. Never rejects: what cannot be read is a failure of the snapshot.
 */
export async function readFiles(paths: readonly string[], format?: WrittenText["format"]): Promise<FilesRead> {
  let companions: readonly string[] = [];
  let survey = await surveyFiles(paths, companions, format);
  for (let tries = 1; ; tries++) {
    const snapshot = await readAll(survey, format);
    const named = snapshot.documents.flatMap(oneTimeNames);
    const after = await surveyFiles(paths, companions, format);
    const isSame = after.signature === survey.signature && named.join("\n") === companions.join("\n");
    if (isSame || tries === mostTries) return { snapshot, signature: survey.signature, companions };
    companions = named;
    survey = await surveyFiles(paths, companions, format);
  }
}

/** Reads policy files and folders, and knockd.conf files, as one snapshot. Never rejects. */
export async function readAllFiles(paths: {
  readonly configs: readonly string[];
  readonly knockdConfs: readonly string[];
}): Promise<WrittenSnapshot> {
  const { snapshot: resources } = await readFiles(paths.configs);
  const { snapshot: doors } = await readFiles(paths.knockdConfs, "knockd-conf");
  return {
    documents: [...resources.documents, ...doors.documents],
    failures: [...resources.failures, ...doors.failures],
  };
}

/** Looks at names, inodes, sizes and times only; at those of companions too. Never rejects. */
export async function surveyFiles(
  paths: readonly string[],
  companions: readonly string[] = [],
  format?: WrittenText["format"],
): Promise<Survey> {
  const files = new Set<string>();
  const folders = new Set<string>();
  const failures: string[] = [];
  const stamps: string[] = [];
  for (const path of new Set(paths)) {
    folders.add(dirname(resolve(path)));
    const found = await entriesOf(path, format);
    stamps.push(found.stamp);
    for (const file of found.files) files.add(file);
    if (found.failure !== undefined) failures.push(found.failure);
    if (found.folder !== undefined) folders.add(found.folder);
  }
  if (files.size > mostFiles)
    failures.push(`There are more than ${mostFiles} files: name a folder that holds only policies.`);
  const kept = [...files].slice(0, mostFiles);
  for (const file of [...kept, ...companions]) {
    stamps.push(await stampOf(file));
    const real = await realpath(file).catch(() => undefined);
    folders.add(dirname(real ?? resolve(file)));
  }
  return { files: kept, folders: [...folders], failures, signature: stamps.join("\n") };
}

/** What a path names: a file, or the configuration files of a folder. */
interface Found {
  readonly stamp: string;
  readonly files: readonly string[];
  readonly folder?: string;
  readonly failure?: string;
}

async function entriesOf(path: string, format: WrittenText["format"] | undefined): Promise<Found> {
  try {
    if (!(await stat(path)).isDirectory()) return { stamp: path, files: [path] };
    if (format === "knockd-conf")
      return { stamp: `${path} folder`, files: [], failure: `${path} is a folder: name the knockd.conf.` };
    const names = (await readdir(path)).filter(isConfigName).sort();
    return { stamp: await stampOf(path), files: names.map((name) => join(path, name)), folder: await realpath(path) };
  } catch (error) {
    return { stamp: `${path} ${codeOf(error)}`, files: [], failure: failureOf(path, error) };
  }
}

async function stampOf(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [path, dev, ino, size, mtimeNs, ctimeNs].join(" ");
  } catch (error) {
    return `${path} ${codeOf(error)}`;
  }
}

async function readAll(survey: Survey, format: WrittenText["format"] | undefined): Promise<WrittenSnapshot> {
  const documents: WrittenText[] = [];
  const failures = [...survey.failures];
  let bytes = 0;
  for (const path of survey.files) {
    const read = await readOne(path, format ?? formatOf(path));
    bytes += read.bytes;
    if (bytes > mostBytes) {
      failures.push(
        `The files together are larger than ${mostBytes >> 20} MiB: name a folder that holds only policies.`,
      );
      break;
    }
    if ("failure" in read) failures.push(read.failure);
    else documents.push(await documentOf(path, read.text, format ?? formatOf(path)));
  }
  return { documents, failures };
}

function formatOf(path: string): WrittenText["format"] {
  return path.endsWith(".conf") ? "knockd-conf" : "yaml";
}

async function documentOf(origin: string, text: string, format: WrittenText["format"]): Promise<WrittenText> {
  if (format === "yaml") return { origin, format, text };
  const oneTimeFiles = new Map<string, string>();
  for (const name of oneTimeNames({ format, text })) {
    const read = await readOne(name, format);
    if ("text" in read) oneTimeFiles.set(name, read.text);
  }
  return { origin, format, text, oneTimeFiles: Object.fromEntries(oneTimeFiles) };
}

/** The one-time files that a knockd.conf names, whether they are there or not. */
function oneTimeNames({ format, text }: Pick<WrittenText, "format" | "text">): readonly string[] {
  if (format === "yaml") return [];
  const names = readKnockdConf(text).doors.flatMap(({ oneTimeFile }) => oneTimeFile ?? []);
  return [...new Set(names)].slice(0, mostFiles);
}

type ReadOne = { readonly bytes: number } & ({ readonly text: string } | { readonly failure: string });

/** Opened without waiting, so that a pipe that nobody writes to does not hold up the others. */
async function readOne(path: string, format: WrittenText["format"]): Promise<ReadOne> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const status = await handle.stat();
    if (!status.isFile()) return { bytes: 0, failure: `${path} is not a file: remove it, or name another path.` };
    if (status.size > mostFileBytes) return { bytes: 0, failure: `${path} is larger than 1 MiB: split it.` };
    const buffer = Buffer.alloc(mostFileBytes + 1);
    const bytes = await fill(handle, buffer);
    if (bytes > mostFileBytes) return { bytes, failure: `${path} is larger than 1 MiB: split it.` };
    return { bytes, text: textOf(buffer.subarray(0, bytes), format) };
  } catch (error) {
    return { bytes: 0, failure: failureOf(path, error) };
  } finally {
    await handle?.close();
  }
}

/** knockd does not ask for an encoding: its old files may be Latin-1, whose every byte is a character. */
function textOf(bytes: Uint8Array, format: WrittenText["format"]): string {
  const isLatin = format === "knockd-conf" && !isUtf8(bytes);
  return new TextDecoder(isLatin ? "latin1" : "utf-8", { fatal: true }).decode(bytes);
}

async function fill(handle: FileHandle, buffer: Buffer): Promise<number> {
  let filled = 0;
  for (;;) {
    const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled);
    filled += bytesRead;
    if (bytesRead === 0 || filled === buffer.length) return filled;
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "does not exist: make it, or name another path",
  EACCES: "may not be read: give the agent permission",
  EPERM: "may not be read: give the agent permission",
  ENOTDIR: "does not exist: a part of the path is not a folder",
  ELOOP: "is a symbolic link to itself",
  ENCODING: "is not UTF-8: save it as UTF-8",
};

function failureOf(path: string, error: unknown): string {
  const code = codeOf(error);
  return `${path} ${reasons[code] ?? `cannot be read (${code})`}.`;
}

function codeOf(error: unknown): string {
  if (error instanceof TypeError && "code" in error && error.code === "ERR_ENCODING_INVALID_ENCODED_DATA")
    return "ENCODING";
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}
