import { inject } from "vitest";
import { Host } from "../netns/host.ts";

declare module "vitest" {
  interface ProvidedContext {
    readonly dockerEngine: {
      /** For DOCKER_HOST. */
      readonly address: string;
      /** Of the Docker host, the visitor and the stranger. */
      readonly namespaces: readonly string[];
    };
  }
}

/** The machine that the Docker engine of this run thinks it is on, and two others on its segment. */
export interface DockerSite {
  readonly docker: Host;
  readonly visitor: Host;
  readonly stranger: Host;
}

/** The engine of this run becomes the one that testcontainers talks to. Who calls it ends what he starts on the hosts. */
export function sharedEngine(): DockerSite {
  const { address, namespaces } = inject("dockerEngine");
  process.env.DOCKER_HOST = address;
  const [docker = "", visitor = "", stranger = ""] = namespaces;
  return {
    docker: new Host("docker", docker, 1),
    visitor: new Host("visitor", visitor, 2),
    stranger: new Host("stranger", stranger, 3),
  };
}
