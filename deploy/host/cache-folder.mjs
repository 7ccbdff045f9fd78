// Where what takes long to build is kept between runs: outside the checkout, as the XDG base directories have it.
import { homedir } from "node:os";
import { join } from "node:path";

/** The folder for one sort of it. */
export function cacheFolder(name) {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "knockgate", name);
}
