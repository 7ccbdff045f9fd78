import type { TestProject } from "vitest/node";
import { World } from "../netns/world.ts";
import { DockerEngine } from "./docker-engine.ts";
import "./shared-engine.ts";

let world: World | undefined;
let engine: DockerEngine | undefined;

/** A plain Docker host with the image of this checkout, and two strangers before it, for the whole run. */
export async function setup(project: TestProject): Promise<void> {
  const archive = process.env.KNOCKGATE_IMAGE;
  if (!archive) throw new Error("KNOCKGATE_IMAGE is not set: `npm run test:container` builds the image and sets it");
  world = await World.build("container", ["docker", "visitor", "stranger"]);
  try {
    engine = await DockerEngine.start(world.host("docker"), world.folder);
    await engine.load(archive);
  } catch (error) {
    await teardown();
    throw error;
  }
  const hosts = ["docker", "visitor", "stranger"].map((name) => world?.host(name).namespace ?? "");
  project.provide("dockerEngine", { address: engine.address, namespaces: hosts });
}

/** Ends all of it, also when tests have failed. */
export async function teardown(): Promise<void> {
  await engine?.stop();
  await world?.remove();
}
