import type { TestProject } from "vitest/node";
import { ControlPlane } from "./control-plane.ts";
import "./shared-cluster.ts";

let plane: ControlPlane | undefined;

/** Starts the control plane that the tests of the tier share, once for the run, and installs the CRDs in it. */
export async function setup(project: TestProject): Promise<void> {
  plane = await ControlPlane.start();
  await plane.cluster.installDefinitions();
  project.provide("clusterAccess", plane.cluster.access);
}

/** Ends it, also when tests have failed. */
export async function teardown(): Promise<void> {
  await plane?.stop();
}
