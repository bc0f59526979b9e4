/**
 * The coded error catalogue. Every refusal and every thing that is not as wished carries a `Reason`;
 * CLI, API and logs print the same one. A code is added here first: its cause and its next step are
 * the documentation (`hivemind docs` and the tidy test read this table).
 */

/** Why something is not as wished. `evidence` holds file, line, slot, node, exit code: what a person checks. */
export interface Reason {
  readonly code: ErrorCode;
  readonly message: string;
  /** The next thing to do or type. */
  readonly hint: string;
  readonly evidence: Readonly<Record<string, string | number | boolean>>;
}

interface CatalogueEntry {
  readonly cause: string;
  readonly next: string;
  /** How the API answers: an HTTP status. */
  readonly status: number;
}

export const catalogue = {
  // -- Compose files and apps -------------------------------------------------------------------
  'HM-COMPOSE-SYNTAX': {
    cause: 'The file is not valid YAML.',
    next: 'Mend the line that is named.',
    status: 422,
  },
  'HM-COMPOSE-TYPE': {
    cause: 'A key has a value of the wrong type or form.',
    next: 'Write the value in the form that is named.',
    status: 422,
  },
  'HM-COMPOSE-KEY': {
    cause: 'The key is not known or not supported yet.',
    next: 'Remove the key or correct its spelling.',
    status: 422,
  },
  'HM-COMPOSE-CYCLE': {
    cause: 'Services depend on each other in a circle.',
    next: 'Remove one of the depends_on entries of the circle.',
    status: 422,
  },
  'HM-COMPOSE-REFERENCE': {
    cause: 'The file names a service or volume that it does not declare.',
    next: 'Declare it or correct the name.',
    status: 422,
  },
  'HM-COMPOSE-NAME': {
    cause: 'A name has characters or a length that are not allowed.',
    next: 'Use lower-case letters, digits, - and _.',
    status: 422,
  },
  'HM-COMPOSE-LIMIT': {
    cause: 'The file is larger than a limit allows.',
    next: 'Split the app or reduce what is named.',
    status: 422,
  },
  'HM-COMPOSE-FILE': {
    cause: 'The Compose file cannot be read.',
    next: 'Name the file with -f, or run the command where compose.yaml is.',
    status: 422,
  },
  'HM-COMPOSE-EXISTS': {
    cause: 'There is a Compose file already.',
    next: 'hivemind plan shows what it would do; or write another: hivemind init -f FILE',
    status: 409,
  },
  'HM-APP-UNKNOWN': { cause: 'No app of this name is deployed.', next: 'hivemind ls', status: 404 },
  'HM-APP-CONFLICT': {
    cause: 'The app changed meanwhile.',
    next: 'Look at it again and repeat the command.',
    status: 409,
  },
  'HM-PLAN-STALE': {
    cause: 'Something has changed since the plan was made.',
    next: 'Look again: hivemind plan',
    status: 409,
  },
  'HM-REVISION-UNKNOWN': {
    cause: 'The app has no such revision, or it is no longer kept.',
    next: 'hivemind revisions APP',
    status: 404,
  },
  'HM-SERVICE-UNKNOWN': {
    cause: 'The app has no service of this name.',
    next: 'hivemind status APP',
    status: 404,
  },
  'HM-TARGET-UNKNOWN': {
    cause: 'No slot, service, app or container matches.',
    next: 'hivemind ps; nodes: hivemind node ls',
    status: 404,
  },
  'HM-LOGS-NONE': {
    cause: 'The service keeps no logs: logging.driver is none.',
    next: 'Remove logging.driver from the file and deploy it, to have its output kept.',
    status: 409,
  },
  'HM-TARGET-PORT': {
    cause: 'The target publishes no port of that kind.',
    next: 'hivemind ps -o wide',
    status: 404,
  },
  'HM-TARGET-AMBIGUOUS': {
    cause: 'More than one thing matches.',
    next: 'Give more of the name: hivemind ps',
    status: 409,
  },
  // -- placing ----------------------------------------------------------------------------------
  'HM-PORT-TAKEN': {
    cause: 'The published port is in use on the node.',
    next: 'Publish another port, or stop what listens there: ss -ltnp',
    status: 409,
  },
  'HM-NODE-CAPACITY': {
    cause: 'The services reserve more memory or CPUs than the node has left.',
    next: 'Lower deploy.resources.reservations or the replicas, or remove another app: hivemind ls',
    status: 409,
  },
  'HM-PORT-ADDRESS': {
    cause:
      'A port is published at an address that the node does not have, or that no port can be published at.',
    next: 'Publish it at an address of the node (ip -br address), as in 127.0.0.1:8080:80 or [::1]:8080:80.',
    status: 422,
  },
  'HM-PORT-RANGE': {
    cause:
      'No port can be assigned: all of the range are published or listened on, or a replica has none of it.',
    next: 'Name a host port, as in 8080:80, or a wider range, or remove apps that publish many: hivemind ps',
    status: 409,
  },
  'HM-BIND-MISSING': {
    cause: 'The source of a bind mount does not exist on the node.',
    next: 'Create the path on the node or correct the source.',
    status: 409,
  },
  'HM-DEPENDENCY-WAIT': {
    cause: 'A service that it depends on is not ready yet.',
    next: 'hivemind why DEPENDENCY',
    status: 409,
  },
  'HM-ROLLOUT-WAIT': {
    cause: 'One replica after another is replaced, and the one before has not settled yet.',
    next: 'hivemind why REPLICA',
    status: 409,
  },
  'HM-ROLLOUT-HELD': {
    cause: 'A replica that was replaced fails, so the others go on as they are.',
    next: 'Deploy a mended file, or go back: hivemind rollback APP',
    status: 409,
  },
  // -- images -----------------------------------------------------------------------------------
  'HM-IMAGE-MISSING': {
    cause: 'The image is not on the node.',
    next: 'hivemind image import ARCHIVE',
    status: 409,
  },
  'HM-IMAGE-NAME': {
    cause: 'The text is not the name of an image.',
    next: 'Write it as NAME:TAG, in lower case.',
    status: 422,
  },
  'HM-IMAGE-PLATFORM': {
    cause: 'The image holds nothing for the platform of the node.',
    next: 'Build or import the image for the platform that is named.',
    status: 409,
  },
  'HM-IMAGE-ARCHIVE': {
    cause: 'The archive is not a readable OCI image archive.',
    next: 'Make one with: skopeo copy … oci-archive:FILE:NAME',
    status: 422,
  },
  'HM-IMAGE-USED': { cause: 'The image is used by an app.', next: 'hivemind rm the app first.', status: 409 },
  'HM-IMAGE-UNKNOWN': {
    cause: 'No image of this name is on the node.',
    next: 'hivemind image ls',
    status: 404,
  },
  'HM-IMAGE-PULLING': {
    cause: 'The image is being pulled.',
    next: 'Wait, or look: hivemind events -f',
    status: 409,
  },
  'HM-IMAGE-DIGEST': {
    cause: 'What the registry sent is not what its digest or size says.',
    next: 'Try again; if it stays so, push the image anew or name another registry.',
    status: 502,
  },
  'HM-IMAGE-LAYER': {
    cause: 'A layer of the image cannot be unpacked within its bounds.',
    next: 'Build the image with gzip or zstd layers of a usual size.',
    status: 422,
  },
  'HM-REGISTRY-UNREACHABLE': {
    cause: 'The registry does not answer.',
    next: 'Check its name and the network; a registry without TLS needs a setting: hivemind-node --help',
    status: 502,
  },
  'HM-REGISTRY-AUTH': {
    cause: 'The registry does not let the node pull this image.',
    next: 'docker login REGISTRY on the node, or keep user:password in the secret registry.REGISTRY',
    status: 409,
  },
  'HM-REGISTRY-BUSY': {
    cause: 'The registry allows no further requests for now.',
    next: 'Wait, log in, or name a mirror.',
    status: 503,
  },
  'HM-REGISTRY-ANSWER': {
    cause: 'The answer of the registry is not well formed or larger than a limit allows.',
    next: 'Check that the name is that of an image: skopeo inspect docker://NAME',
    status: 502,
  },
  // -- containers -------------------------------------------------------------------------------
  'HM-RUNTIME-DOWN': {
    cause: 'containerd does not answer.',
    next: 'hivemind doctor; running containers keep running.',
    status: 503,
  },
  'HM-RUNTIME-TIMEOUT': {
    cause: 'containerd took longer than its deadline.',
    next: 'hivemind doctor; the step is tried again.',
    status: 503,
  },
  'HM-RUNTIME-IMAGE': {
    cause: 'The service has an image alone, and its node runs processes of the machine.',
    next: 'Give it x-hivemind: { process: { command: [...] } }, or start the node with --runtime containerd',
    status: 422,
  },
  'HM-RUNTIME-PROCESS': {
    cause: 'The service is a process of the machine, and its node runs containers.',
    next: 'Give it an image alone, or start the node with --runtime process',
    status: 422,
  },
  'HM-CONTAINER-CREATE': {
    cause: 'The container could not be created.',
    next: 'Read the message of the runtime; hivemind logs TARGET',
    status: 500,
  },
  'HM-CONTAINER-COMMAND': {
    cause: 'The command of the container cannot be run.',
    next: 'Check command and entrypoint against the image.',
    status: 422,
  },
  'HM-CONTAINER-USER': {
    cause: 'The user or group of the container is not in the image.',
    next: 'Correct the name, or use a number.',
    status: 422,
  },
  'HM-CONTAINER-SETTING': {
    cause: 'The service asks for something that this machine or kernel cannot give its container.',
    next: 'Change or remove the key that is named.',
    status: 422,
  },
  'HM-CONTAINER-PEER': {
    cause: 'The container shares a namespace with another service, which has no running container.',
    next: 'Nothing: it starts when the other one runs. Name it in depends_on to start it first.',
    status: 409,
  },
  'HM-CONTAINER-UPDATE': {
    cause: 'The limits of the running container could not be changed.',
    next: 'Give it what it already uses, or hivemind restart TARGET',
    status: 409,
  },
  'HM-CONTAINER-PAUSED': {
    cause: 'The processes of the container are paused.',
    next: 'hivemind unpause TARGET',
    status: 409,
  },
  'HM-FILE-MISSING': {
    cause: 'The file or folder is not there.',
    next: 'Check the path: hivemind exec TARGET -- ls PATH',
    status: 404,
  },
  'HM-FILE-ARCHIVE': {
    cause: 'The tar archive is damaged, or has entries that would be written somewhere else.',
    next: 'Make the archive anew, with plain names below one folder.',
    status: 422,
  },
  'HM-CONTAINER-EXIT': {
    cause: 'The process of the container ended.',
    next: 'hivemind logs TARGET',
    status: 409,
  },
  'HM-CONTAINER-OOM': {
    cause: 'The container used more memory than it may.',
    next: 'Raise its memory limit or mend the leak.',
    status: 409,
  },
  'HM-CONTAINER-LOST': {
    cause: 'The container vanished without an exit status.',
    next: 'Nothing: the slot starts a new one.',
    status: 409,
  },
  'HM-CONTAINER-STUCK': {
    cause: 'The container does not stop after SIGKILL.',
    next: 'Look for a process in state D: ps -o pid,stat,wchan',
    status: 500,
  },
  'HM-CONTAINER-UNKNOWN': { cause: 'No container of this id exists.', next: 'hivemind ps', status: 404 },
  'HM-CONTAINER-STOPPED': {
    cause: 'The container is not running.',
    next: 'hivemind why TARGET',
    status: 409,
  },
  'HM-FORWARD-REFUSED': {
    cause: 'Nothing answers at the port of the container.',
    next: 'See whether it listens there: hivemind logs TARGET',
    status: 502,
  },
  'HM-HOOK-FAILED': {
    cause: 'A hook of the service failed.',
    next: 'hivemind logs TARGET',
    status: 409,
  },
  'HM-CRASH-LOOP': {
    cause: 'The container ends again and again soon after its start.',
    next: 'hivemind logs TARGET',
    status: 409,
  },
  'HM-RESTART-BUDGET': {
    cause: 'The restart policy allows no further start.',
    next: 'Mend the cause, then: hivemind restart TARGET',
    status: 409,
  },
  'HM-HEALTH-STARTING': {
    cause: 'The health check has not passed yet.',
    next: 'Wait, or look: hivemind logs TARGET',
    status: 409,
  },
  'HM-HEALTH-UNREADY': {
    cause: 'The readiness probe fails: no traffic goes there.',
    next: 'hivemind logs TARGET',
    status: 409,
  },
  'HM-HEALTH-FAILED': { cause: 'The health check fails.', next: 'hivemind logs TARGET', status: 409 },
  // -- network, volumes, disk -------------------------------------------------------------------
  'HM-NETWORK-ADDRESS': {
    cause: 'The addresses of the node are used up, and the container pool has no free block.',
    next: 'Remove slots or nodes; the pool is fixed when the cluster is made (--container-pool).',
    status: 409,
  },
  'HM-NETWORK-UNKNOWN': {
    cause: 'A service wants a network that nobody declares.',
    next: 'Declare it under networks: in the file, or deploy the app that declares it first.',
    status: 422,
  },
  'HM-NETWORK-SUBNET': {
    cause: 'A subnet of a network cannot be used, or a static address does not lie in one.',
    next: 'Choose a free IPv4 subnet (ipam.config.subnet) and addresses inside it; hivemind network ls shows those in use.',
    status: 422,
  },
  'HM-NETWORK-INTERNAL': {
    cause: 'A service on internal networks alone publishes ports.',
    next: 'Remove its ports:, or put it on a further network that is not internal.',
    status: 422,
  },
  'HM-NETWORK-TAKEN': {
    cause: 'A static address would belong to two containers.',
    next: 'Give each service its own address, and one replica to a service with one; hivemind network ls shows those in use.',
    status: 409,
  },
  'HM-NETWORK-DRIVER': {
    cause: 'The kernel refused a network change.',
    next: 'hivemind doctor',
    status: 500,
  },
  'HM-DNS-LISTEN': {
    cause: 'The DNS responder cannot listen on its address.',
    next: 'Stop what listens there: ss -lunp sport = 53',
    status: 500,
  },
  'HM-VOLUME-UNKNOWN': {
    cause: 'The app mounts a volume of another app that does not exist.',
    next: 'Deploy the other app first, or correct the name: APP/VOLUME.',
    status: 422,
  },
  'HM-VOLUME-USED': {
    cause: 'Another app mounts a volume that is to be removed.',
    next: 'Remove the other app first, or leave out --volumes.',
    status: 409,
  },
  'HM-VOLUME-DRIVER': {
    cause: 'A volume could not be made or removed.',
    next: 'Check the data folder: permissions and free space.',
    status: 500,
  },
  'HM-DISK-FULL': {
    cause: 'The disk is full.',
    next: 'Free space on the disk that is named; work goes on by itself.',
    status: 507,
  },
  // -- secrets ----------------------------------------------------------------------------------
  'HM-SECRET-UNKNOWN': {
    cause: 'No secret of this name is in the secret store.',
    next: 'hivemind secret ls; to add one: hivemind secret set NAME --file FILE',
    status: 404,
  },
  'HM-SECRET-NAME': {
    cause: 'The text is not the name of a secret.',
    next: 'Use letters, digits, . _ : and -, beginning with a letter or digit.',
    status: 422,
  },
  'HM-SECRET-LIMIT': {
    cause: 'A secret or config is larger than a limit allows, or there are too many.',
    next: 'Make it smaller, or mount it as a volume if it is no secret.',
    status: 422,
  },
  'HM-SECRET-USED': {
    cause: 'The secret is used by an app.',
    next: 'hivemind rm the app first, or deploy it without the secret.',
    status: 409,
  },
  'HM-SECRET-KEY': {
    cause: 'The key that opens the secrets is missing, or is another one.',
    next: 'Put the right key file back (--secret-key-file), or give its passphrase (HIVEMIND_SECRET_PASSPHRASE_FILE), and start the node again. What runs keeps running.',
    status: 503,
  },
  'HM-SECRET-DAMAGED': {
    cause: 'A sealed value was changed, or was sealed for another place.',
    next: 'Set the secret again, or deploy the app again.',
    status: 500,
  },
  'HM-SECRET-TMPFS': {
    cause: 'Secrets and configs need a memory file system, and it cannot be mounted or written.',
    next: 'Run hivemind-node as root; then: hivemind doctor',
    status: 409,
  },
  // -- state ------------------------------------------------------------------------------------
  'HM-STORE-DOWN': {
    cause: 'The store does not answer.',
    next: 'Nothing stops meanwhile; hivemind doctor',
    status: 503,
  },
  'HM-STORE-UNKNOWN-OUTCOME': {
    cause: 'The answer to a write was lost; it may have taken effect.',
    next: 'Repeat the command: it is safe.',
    status: 503,
  },
  'HM-STORE-CONFLICT': {
    cause: 'Something else was written first.',
    next: 'Repeat the command.',
    status: 409,
  },
  'HM-STORE-COMPACTED': {
    cause: 'The history that was asked for is gone.',
    next: 'Read the present state and watch from there.',
    status: 410,
  },
  'HM-STORE-LIMIT': {
    cause: 'A key, value or transaction is larger than a limit allows.',
    next: 'Make it smaller.',
    status: 422,
  },
  'HM-STORE-LEASE': {
    cause: 'The lease does not exist or has ended.',
    next: 'Grant a new one.',
    status: 409,
  },
  'HM-STORE-FOREIGN': {
    cause: 'The store belongs to another cluster, or is empty or older than what this node has seen.',
    next: 'Nothing is stopped. Restore the right store, or confirm: hivemind doctor --accept-store (hivemind-node --accept-store where it does not start)',
    status: 409,
  },
  'HM-STORE-CORRUPT': {
    cause: 'The store cannot be read.',
    next: 'Restore the data folder from a backup.',
    status: 500,
  },
  'HM-JOURNAL-LIMIT': {
    cause: 'A journal entry is larger than a limit allows, or is not plain data.',
    next: 'Report it with: hivemind actor events',
    status: 422,
  },
  'HM-JOURNAL-TORN': {
    cause: 'The end of the journal was lost in a crash.',
    next: 'Nothing: what was acknowledged is there; the rest is found again from the runtime.',
    status: 200,
  },
  'HM-JOURNAL-CORRUPT': {
    cause: 'The journal is damaged before its end.',
    next: 'Nothing: the readable part is used, the rest is found again from the runtime and the store.',
    status: 200,
  },
  'HM-DATA-LOCKED': {
    cause: 'Another hivemind-node uses this data folder.',
    next: 'Stop it, or give --data-dir another folder.',
    status: 409,
  },
  'HM-DATA-DIR': {
    cause: 'The data folder cannot be used.',
    next: 'Check that it exists and may be written.',
    status: 500,
  },
  // -- actors -----------------------------------------------------------------------------------
  'HM-ACTOR-UNKNOWN': { cause: 'No actor has this path.', next: 'hivemind actor tree', status: 404 },
  'HM-ACTOR-TIMEOUT': {
    cause: 'The actor did not answer in time.',
    next: 'hivemind actor show PATH',
    status: 504,
  },
  'HM-ACTOR-OVERFLOW': {
    cause: 'The mailbox of the actor is full.',
    next: 'Repeat later; hivemind actor show PATH',
    status: 503,
  },
  'HM-ACTOR-STOPPED': {
    cause: 'The actor stopped before it answered.',
    next: 'Repeat the command.',
    status: 503,
  },
  // -- API and CLI ------------------------------------------------------------------------------
  'HM-API-UNREACHABLE': {
    cause: 'No hivemind-node answers.',
    next: 'Start one: npm start, or name it: --address',
    status: 503,
  },
  'HM-API-TOKEN': {
    cause: 'The token is missing or wrong.',
    next: 'Pass --token-file, or use the unix socket as root.',
    status: 401,
  },
  'HM-API-TOKEN-EXPIRED': {
    cause: 'The token has expired.',
    next: 'Make a new one on the node: hivemind token create NAME',
    status: 401,
  },
  'HM-TOKEN-UNKNOWN': { cause: 'No token has this name.', next: 'hivemind token ls', status: 404 },
  'HM-TOKEN-EXISTS': {
    cause: 'A token of this name exists.',
    next: 'Choose another name, or revoke that one: hivemind token revoke NAME',
    status: 409,
  },
  'HM-NODE-UNKNOWN': { cause: 'No node has this name.', next: 'hivemind node ls', status: 404 },
  'HM-VOLUME-MISSING': {
    cause: 'The node has no volume of this name.',
    next: 'Look at those that are there: GET /v1/volumes',
    status: 404,
  },
  'HM-API-REQUEST': { cause: 'The request is not well formed.', next: 'See /v1/openapi.json', status: 400 },
  'HM-API-ROUTE': { cause: 'There is no such route.', next: 'See /v1/openapi.json', status: 404 },
  'HM-API-METHOD': {
    cause: 'The route is not asked by this method.',
    next: 'Use one of those that the Allow header names.',
    status: 405,
  },
  'HM-API-MEDIA': {
    cause: 'The body is of a type that the route does not take.',
    next: 'Send it under the content type that is named.',
    status: 415,
  },
  'HM-API-HEADERS': {
    cause: 'The headers of the request are larger than a limit allows.',
    next: 'Send fewer or shorter ones.',
    status: 431,
  },
  'HM-API-TOO-LARGE': {
    cause: 'The request is larger than a limit allows.',
    next: 'Send less.',
    status: 413,
  },
  'HM-API-ORIGIN': {
    cause: 'The request comes from a web page of another site.',
    next: 'Use the CLI, or a page of the node itself.',
    status: 403,
  },
  'HM-API-BUSY': {
    cause: 'More streams are open, or more is asked, than a limit allows.',
    next: 'End some: hivemind logs -f, events -f or exec of others; then repeat.',
    status: 429,
  },
  'HM-API-SLOW': {
    cause: 'The request did not arrive in time.',
    next: 'Send it at once.',
    status: 408,
  },
  'HM-API-PRECONDITION': {
    cause: 'The resource is not what the condition of the request names.',
    next: 'Read it again, look at what changed, and repeat with its present ETag.',
    status: 412,
  },
  'HM-API-IDEMPOTENCY': {
    cause: 'The Idempotency-Key was used for another request.',
    next: 'Use a new key for a new request.',
    status: 422,
  },
  'HM-API-IN-FLIGHT': {
    cause: 'A request with this Idempotency-Key is under way.',
    next: 'Repeat it a little later.',
    status: 409,
  },
  'HM-EVENTS-EXPIRED': {
    cause: 'The events behind this cursor are no longer kept, or never were of this node.',
    next: 'Begin without a cursor: GET /v1/events, then follow from the cursor it answers.',
    status: 410,
  },
  'HM-EVENTS-TORN': {
    cause: 'The event log of an earlier boot has no proper end: its last events may be missing.',
    next: 'Nothing: what is there is used; hivemind ps shows what is so now.',
    status: 200,
  },
  'HM-API-SCOPE': {
    cause: 'The token does not allow this.',
    next: 'Use a token of a wider scope: hivemind token create NAME --scope admin',
    status: 403,
  },
  'HM-API-LISTEN': {
    cause: 'The API cannot listen on its address or socket.',
    next: 'Stop what listens there (ss -lntxp), or give --api-address or --socket another.',
    status: 409,
  },
  'HM-CLI-USAGE': { cause: 'The command line is wrong.', next: 'hivemind --help', status: 400 },
  'HM-CLI-TIMEOUT': {
    cause: 'The wait timed out; the work goes on.',
    next: 'hivemind status APP',
    status: 504,
  },
  'HM-CLI-CONTEXT': {
    cause: 'The context is not known, or the file of contexts cannot be read or written.',
    next: 'hivemind context ls',
    status: 404,
  },
  'HM-DESK-STATE': {
    cause: 'The cluster on this desk is not in the state that the command expects.',
    next: 'npm run cluster -- status; npm run cluster -- down removes everything of it.',
    status: 409,
  },
  'HM-DESK-NODE': {
    cause: 'A node of the cluster on this desk is not known, or not in the state that the command expects.',
    next: 'npm run cluster -- status',
    status: 404,
  },
  'HM-DESK-MACHINE': {
    cause: 'This machine cannot have a cluster on its desk as asked.',
    next: 'Mend what is named; npm run cluster -- down removes what was made so far.',
    status: 500,
  },
  'HM-CONFIG': { cause: 'A setting has a wrong value.', next: 'hivemind-node --help', status: 422 },
  'HM-CLUSTER-LISTEN': {
    cause: 'The address for the cluster cannot be listened on.',
    next: 'Choose an address of this machine and a free port: --cluster-address.',
    status: 500,
  },
  // -- other nodes ------------------------------------------------------------------------------
  'HM-RECORDS-FORGED': {
    cause: 'Records that a peer gave out as those of a node are not what that node signed.',
    next: 'hivemind events names the peer; when it goes on, remove that node from the cluster.',
    status: 502,
  },
  'HM-SLOT-ELSEWHERE': {
    cause: 'The container is on another node, and only that one can do this.',
    next: 'Run the same command on the node that is named; hivemind node show NAME says where its API listens.',
    status: 421,
  },
  'HM-PEER-UNREACHABLE': {
    cause: 'There is no connection to the node, or it was lost.',
    next: 'See whether it is alive and its cluster port is reached from here: hivemind node ls',
    status: 503,
  },
  'HM-PEER-TIMEOUT': {
    cause: 'The node did not answer in time. What it was asked for may be done all the same.',
    next: 'See how it is: hivemind node ls; then look whether it was done before it is asked again.',
    status: 504,
  },
  'HM-PEER-BUSY': {
    cause: 'The node takes messages slower than they come: the queue to it is full.',
    next: 'Repeat a little later.',
    status: 503,
  },
  'HM-PEER-REFUSED': {
    cause: 'The node does not do what it was asked for, or not for this node.',
    next: 'Compare role and version of both: hivemind node ls',
    status: 403,
  },
  'HM-PEER-VERSION': {
    cause: 'The two nodes have no version of the protocol between nodes in common.',
    next: 'Update the older one: hivemind node ls -o wide shows the versions.',
    status: 409,
  },
  'HM-PEER-IDENTITY': {
    cause: 'Who answers at the address is not the node that is meant, or not of this cluster.',
    next: 'Check what runs at the address; a node that lost its data folder joins as a new one.',
    status: 409,
  },
  'HM-PEER-MESSAGE': {
    cause: 'A message between nodes is too large, or is none.',
    next: 'Report it with: hivemind actor events',
    status: 422,
  },
  'HM-CLUSTER-ROLE': {
    cause: 'The node cannot have this role.',
    next: 'Leave --role out: who joins is an agent, and the first node of a cluster is its server.',
    status: 422,
  },
  'HM-CLUSTER-KEY': {
    cause: "The node's key or certificate cannot be read, or is damaged.",
    next: 'Put the folder cluster of the data folder back from a backup; or remove it, and join again with a token.',
    status: 500,
  },
  'HM-CLUSTER-CERTIFICATE': {
    cause: 'A certificate is not of this cluster, not of who shows it, or its term is over.',
    next: 'Join again with a new token: hivemind cluster token, then --join and --token-file.',
    status: 403,
  },
  'HM-CLUSTER-CLOCK': {
    cause: 'The clocks of two nodes are too far apart.',
    next: 'Set the clock of the one that is wrong: timedatectl set-ntp true',
    status: 409,
  },
  'HM-CLUSTER-FOREIGN': {
    cause: 'Who answers is of another cluster.',
    next: 'Check the address of --join, and that the token was made in that cluster.',
    status: 403,
  },
  'HM-CLUSTER-TOKEN': {
    cause: 'The join token is not valid.',
    next: 'Make a new one on the server of the cluster: hivemind cluster token',
    status: 403,
  },
  'HM-CLUSTER-JOIN': {
    cause: 'The node cannot join: no node of the cluster answers as it should.',
    next: 'Check that the addresses of --join are reachable, and that their nodes run with --cluster-address.',
    status: 503,
  },
  'HM-CLUSTER-ALONE': {
    cause: 'The node is of no cluster: it has no cluster address.',
    next: 'Start it with --cluster-address IP:PORT.',
    status: 409,
  },
  'HM-NODE-NAME-TAKEN': {
    cause: 'Another node of the cluster has this name.',
    next: 'Give this node another name: --name; or wait until the other is dead or has left (hivemind node ls), for a minute when it is not listed there.',
    status: 409,
  },
  'HM-NODE-NAME-LOST': {
    cause: 'Another node has joined with the name of this one.',
    next: 'Join as a new node: hivemind cluster token on the server, then --join and --token-file here, with another --name while a node of this name lives.',
    status: 409,
  },
  'HM-STORE-DENIED': {
    cause: 'An agent reaches its own rows of the store and nothing else.',
    next: 'Run the command on the server, or reach it from here: --context or --address. hivemind cluster status names it.',
    status: 403,
  },
  'HM-NODE-SLOTS': {
    cause: 'The node runs slots of apps.',
    next: 'hivemind ps; or --force: they keep running, and nobody looks after them any more.',
    status: 409,
  },
  'HM-CLUSTER-AGENT': {
    cause: 'Only a server answers this.',
    next: 'Run the command on the server, or reach it from here: --context or --address. hivemind cluster status names it.',
    status: 421,
  },
  'HM-GOSSIP-KEY': {
    cause: 'A key of the gossip ring is not usable as it was asked.',
    next: 'hivemind cluster status names the keys of the ring and the one in use.',
    status: 409,
  },
  'HM-MEMBERSHIP-TIMES': {
    cause: "The membership protocol's times contradict each other.",
    next: 'Correct the setting that is named, or leave it out: the network profile has one.',
    status: 422,
  },
  'HM-MEMBERSHIP-SEEDS': {
    cause: 'Nobody of the cluster answers at the addresses that this node was told to look at.',
    next: 'Check that a node runs there, that --join names its cluster address, and that TCP and UDP pass.',
    status: 503,
  },
  'HM-MEMBERSHIP-ALONE': {
    cause: 'This node sees no other member of its cluster alive.',
    next: 'hivemind node ls; hivemind why NODE says what was last heard of each.',
    status: 503,
  },
  'HM-MEMBERSHIP-DOUBLED': {
    cause: 'Two processes run under one identity of a node.',
    next: 'Stop one of them; a copied data folder needs an identity of its own: remove cluster/node.key in it, and join again.',
    status: 409,
  },
  'HM-MEMBERSHIP-DOWN': {
    cause: 'The thread that speaks with the other members ended.',
    next: 'It is started again by itself; hivemind events says how often it happened.',
    status: 503,
  },
  'HM-MEMBER-SUSPECTED': {
    cause: 'The member does not answer; it is declared dead unless it refutes that.',
    next: 'Look at its machine and the network between: hivemind why NODE shows what each plane says.',
    status: 503,
  },
  'HM-MEMBER-STALLED': {
    cause: 'The main loop of the node hangs: what it should do for its containers waits.',
    next: "Look at its machine's processors, memory and disk; its containers run on.",
    status: 503,
  },
  'HM-MEMBER-DEAD': {
    cause: 'Nobody heard the member for as long as a suspicion lasts.',
    next: 'Look at its machine and its hivemind-node; it is a member again as soon as it speaks.',
    status: 503,
  },
  'HM-NODE-ESCALATED': {
    cause: 'The root supervisor gave up.',
    next: 'hivemind actor events; the restarter starts the node again.',
    status: 500,
  },
  'HM-INTERNAL': {
    cause: 'A defect in Hivemind.',
    next: 'Report it with: hivemind actor events',
    status: 500,
  },
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof catalogue;

/** Words of a hint that stand for what the evidence names: a next step can be typed as it is printed. */
const blanks = {
  TARGET: 'slot',
  DEPENDENCY: 'dependency',
  REPLICA: 'replica',
  APP: 'app',
  NODE: 'node',
} as const;

const fill = (hint: string, evidence: Reason['evidence']): string =>
  hint.replaceAll(/\b(?:TARGET|DEPENDENCY|REPLICA|APP|NODE)\b/g, (word) =>
    String(evidence[blanks[word as keyof typeof blanks]] ?? word),
  );

/** The same reason, told by somebody who knows more; what it says itself stands. */
export function withEvidence(because: Reason, more: Reason['evidence']): Reason {
  const evidence = { ...more, ...because.evidence };
  return { ...because, hint: fill(because.hint, evidence), evidence };
}

/** Build a reason; message and hint default to the catalogue's own words. */
export function reason(
  code: ErrorCode,
  message?: string,
  evidence: Reason['evidence'] = {},
  hint?: string,
): Reason {
  const entry = catalogue[code];
  return { code, message: message ?? entry.cause, hint: hint ?? fill(entry.next, evidence), evidence };
}

/** An error that crosses a port or the API. Everything else that is thrown is a defect (`HM-INTERNAL`). */
export class CodedError extends Error {
  readonly reason: Reason;
  constructor(because: Reason, options?: { cause?: unknown }) {
    super(`${because.code}: ${because.message}`, options);
    this.name = 'CodedError';
    this.reason = because;
  }
}

/** Throwable shorthand. */
export function coded(
  code: ErrorCode,
  message?: string,
  evidence?: Reason['evidence'],
  hint?: string,
): CodedError {
  return new CodedError(reason(code, message, evidence, hint));
}

/** The reason inside any thrown value; an unknown error becomes `HM-INTERNAL` with its text. */
export function reasonOf(thrown: unknown): Reason {
  if (thrown instanceof CodedError) return thrown.reason;
  return reason(
    'HM-INTERNAL',
    thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown),
  );
}
