/**
 * Every bound in the system, each with its reason. Overflow of any of them is a counted, named event
 * or a coded refusal; nothing grows without one.
 */
export const limits = {
  /** Ordinary messages waiting for one actor. A healthy actor has < 10; 1,000 is a burst of every slot of a node. */
  mailboxMessages: 1_000,
  /** Messages the router delivers before it lets the event loop breathe. */
  sliceMessages: 256,
  /** … and the time it may take for them: 1/5 of a 50 ms tick, so that timers and sockets stay prompt. */
  sliceMs: 10,
  /** Dead letters kept for the inspector; older ones are only counted. */
  deadLetters: 256,
  /** Transcript lines kept for `actor events`. */
  transcriptLines: 4_096,
  /** Events kept for `hivemind events`. */
  eventLog: 10_000,
  /** A file of the event log: some thousand events … */
  eventFileBytes: 1_048_576,
  /** … and so many of them: 10,000 events of 400 bytes. */
  eventFiles: 4,
  /** Events that wait for the disk; beyond, they are kept in memory only and the gap is told after a restart. */
  eventQueue: 10_000,
  /** Events one piece of a stream holds at most: a reader that comes back is given its turn like the others. */
  eventPiece: 256,
  /** How often a stream of events says where it is: a proxy's idle limit is a minute. */
  eventBookmarkMs: 15_000,
  /** Effects one step of one actor may ask for: a supervisor stopping all of a node's children at once. */
  effectsPerStep: 20_000,
  /** Paths without an actor whose incarnation and last crash are remembered: a day of a busy node's runs. */
  deadPaths: 10_000,
  /** How often one actor's overflow is told to the event log. */
  overflowEventMs: 60_000,
  /** A `write` without an answer after this long has an unknown outcome: etcd's own request time-out is 7 s. */
  writeMs: 10_000,
  /** How long completion waits for the node: longer, and typing stutters. */
  completionMs: 300,
  /** A check of the doctor that has not answered by then has failed; all of them run at once. */
  doctorCheckMs: 3_000,
  /** An `ask` that names no deadline of its own. */
  askTimeoutMs: 10_000,
  /** What an agent asks of its server because somebody asked it, who must not wait long when it is cut off. */
  leaderAskMs: 2_000,

  /** Slots of one node that are told of: a thousand twice over … */
  recordsSlots: 2_000,
  /** … each with a container and an endpoint, and what the node says of itself. */
  recordsPerNode: 4_008,
  /** One record: a slot's status is some 500 bytes, with a long reason 2 KiB; … */
  recordBytes: 8_192,
  /** … with its key and sequence. */
  recordsLineBytes: 8_704,
  /** Records in one piece of a pull: 20 slots fit a twentieth of it; the answer's frame holds a head besides. */
  recordsPieceBytes: 262_144,
  /** Pieces of one pull: 4 MiB, more than twice 2,000 slots and their endpoints. */
  recordsPieces: 16,
  /** Records that are gone and can still be told of as such; who is further behind pulls everything. */
  recordsGone: 64,
  /** Nodes whose records are kept: what membership knows. */
  recordsNodes: 5_000,
  /** Pulls under way: each holds one set of records in memory … */
  recordsPulls: 8,
  /** … and of one peer, so that a slow one does not keep all. */
  recordsPullsPerPeer: 2,
  recordsPullMs: 5_000,
  /** Attempts until it is left to the next comparison. */
  recordsPullTries: 6,
  recordsBackoffMinMs: 500,
  recordsBackoffMaxMs: 15_000,
  /** Peers remembered as having what is wanted. */
  recordsSources: 3,
  /** Changes of one node within so long become one version. */
  recordsGatherMs: 100,
  /** What a node has just begun to hear from its slots is told when all have spoken, or after this. */
  recordsBeginMs: 10_000,
  /** How often a node compares all it has with one other: what gossip lost is missed for no longer than a few of these. */
  recordsCompareMs: 30_000,
  /** Peers that came back are compared with after this, so that many together are one. */
  recordsReunionMs: 300,
  /** The machine is measured so often, and a change of it told at most so often … */
  resourcesMs: 10_000,
  /** … and a small one after this: a load that dies away would be told six times by each of them. */
  resourcesRestMs: 60_000,
  /** Records of a dead node are shown for so long: an hour to look what ran there … */
  recordsDeadMs: 3_600_000,
  /** … and their old versions refused for another day: longer than any node that still has them is unheard of. */
  recordsBuriedMs: 86_400_000,
  recordsBuried: 1_000,
  /** The same refusal of one peer's records is told again after this. */
  recordsWarnMs: 600_000,

  /** lmdb's key limit; etcd would allow more, the drivers must behave alike. */
  storeKeyBytes: 1_978,
  /** etcd's default request limit is 1.5 MiB; a value stays well under it. */
  storeValueBytes: 1_048_576,
  /** etcd's default `--max-txn-ops` is 128. */
  storeTxnOps: 100,
  /** History kept for watches: whichever is more. */
  storeHistoryMs: 600_000,
  storeHistoryRevisions: 10_000,
  /** Results remembered for retries of one request id. */
  storeRequestIds: 4_096,
  /** A request id is a name, not a document. */
  storeRequestIdBytes: 256,
  /** Revisions that one compaction step removes: a few ms of work, so that writers hardly wait. */
  storeCompactBatch: 500,
  /** How often a store with more history than it must keep looks whether some of it is old enough to go. */
  storeCompactMs: 60_000,
  /** Leases alive at once: an election, a node and a few claims for each of a few thousand nodes. */
  storeLeases: 20_000,
  /** Keys of one lease: they die in one transaction, which must stay small. */
  storeLeaseKeys: 1_000,
  /** Writes waiting for the next commit. A healthy queue holds one commit's worth: < 100. */
  storeQueue: 10_000,
  /** Requests in one group commit: bounds the time that the event loop gives to it. */
  storeGroupCommit: 256,
  /** … and the bytes of their values, unless a single one has more. */
  storeGroupBytes: 4_194_304,
  /** Keys and values of one transaction: below etcd's 1.5 MiB with its framing. */
  storeTxnBytes: 1_310_720,
  /** The longest lease: a day; timers and people forget longer ones. */
  storeLeaseMs: 86_400_000,
  /** Watches open at once: a node's actors, and a server's agents. */
  storeWatches: 10_000,

  /** A journal is rewritten when it holds this many times its live records … */
  journalGarbageRatio: 4,
  /** … and at least this many bytes. */
  journalCompactBytes: 1_048_576,
  /** One journal record: an assignment with 1,000 environment variables is ≈ 100 KB. */
  journalRecordBytes: 4_194_304,
  /** Entries alive in a journal: a node's slots and their counters, thousands at most. */
  journalEntries: 100_000,
  /** Appends waiting for the disk. A healthy queue holds one flush's worth: < 100. */
  journalQueue: 10_000,

  composeFileBytes: 1_048_576,
  /** YAML alias expansion (the "billion laughs" bound). */
  composeAliases: 1_000,
  /** Keys and values of a file after aliases are expanded: ten for each of 500 services' twenty keys. */
  composeNodes: 100_000,
  /** Levels of nesting; Compose itself needs seven. */
  composeDepth: 64,
  /** Problems reported at once: more than anybody mends in one go. */
  composeProblems: 50,
  /** Files of one app: several -f, includes and extends; a file that is included twice counts twice. */
  composeFiles: 100,
  /** `extends` of `extends`: nobody writes more than three. */
  composeExtends: 32,
  /** Characters that variables may put into an app's files: what a 1 MiB file holds, eight times over. */
  composeExpansion: 8_388_608,
  /** A config or secret from a file; swarm keeps as much. */
  composeContentBytes: 1_024_000,
  /** One CDI file; those of machines with many GPUs take some 100 KiB. */
  cdiFileBytes: 4_194_304,
  /** Items of one list: words of a command, mounts, names. */
  composeItems: 1_000,
  /** Volumes that an image may declare: each is made anew for each replica. */
  imageVolumes: 256,
  /** Linux's PATH_MAX. */
  pathChars: 4_096,
  composeServices: 500,
  composeReplicas: 1_000,
  /** Revisions of an app that `rollback` can go back to; a large one is 100 KB. */
  appRevisions: 50,
  /** Intervals, timeouts and grace periods: a day. */
  composeDurationMs: 86_400_000,
  composeEnvironment: 5_000,
  composePorts: 1_000,
  /** Host ports for those that nobody named: behind what Linux hands out for connections (32768–60999). */
  portRangeFirst: 61_000,
  portRangeLast: 65_535,
  /** App, service and volume names; a slot's name must fit a DNS label. */
  nameChars: 63,

  /** containerd's identifier limit is 76. */
  containerIdChars: 76,
  /** Container starts under way at once: containerd gains nothing above 4 (measured). */
  startParallelism: 4,
  /** One gRPC call to containerd, unless named otherwise. */
  runtimeCallMs: 10_000,
  runtimeCreateMs: 30_000,
  /** Output of a health check that is kept; Docker keeps as much. */
  execOutputBytes: 4_096,
  /** Input of an exec that waits because the command does not read it; beyond it, writes are refused. */
  execInputBytes: 4_194_304,
  /** Pipes kept for the next health checks: as many as a busy node runs at once. */
  execPipes: 64,
  /** Containers whose command settings are remembered for their health checks: more than one node runs. */
  execContainers: 1_000,
  /** What a volume takes on disk: files counted at most, how long an answer is given again, and of how many volumes. */
  diskUseEntries: 200_000,
  diskUseMs: 60_000,
  diskUseFolders: 1_000,
  /** Processes of the machine: how long they may take to stand still or to be gone, and how often that is looked at. */
  processSettleMs: 10_000,
  processLookMs: 5,
  /** Their exits are watched as files; a look in between, should a watch miss one. */
  processWatchMs: 5_000,
  /** A containerd of our own from spawn to first answer: 1 s when idle, more on a loaded machine or after a crash. */
  containerdStartMs: 30_000,
  /** How long containerd may take to say its version before it counts as hung. */
  containerdProbeMs: 3_000,
  imageImportMs: 300_000,
  /** All of an image archive, uncompressed: large machine-learning images reach 20 GiB. */
  imageArchiveBytes: 34_359_738_368,
  /** Blobs in an image archive: images have up to 127 layers, archives a few images. */
  imageArchiveBlobs: 4_096,
  /** One manifest, index or configuration; registries refuse larger ones. */
  imageDocumentBytes: 4_194_304,
  /** All of them in one archive: they are held in memory while it is read. Real ones have some KB. */
  imageDocumentsBytes: 16_777_216,
  /** How often unused images are looked for: a disk that fills within minutes has other trouble. */
  imageCollectMs: 300_000,
  /** … and the first time: a node that starts on a full disk has room soon. */
  imageCollectFirstMs: 10_000,
  /** Layers of one image: builders make at most 127. */
  imageLayers: 512,
  /** Manifests of one index: a dozen platforms, and their attestations. */
  imageIndexEntries: 512,
  /**
   * Layers of one image that come at the same time. Measured: with three and more all of them end together, so that the
   * lowest is unpacked late, and their writes to containerd share one connection at thrice the work.
   */
  imageParallelLayers: 2,
  /** A layer unpacks to at most so many times its size (text packs to a tenth, zeros to a thousandth) … */
  imageUnpackedRatio: 100,
  /** … unless that is less than this. */
  imageUnpackedBytes: 2_147_483_648,
  /** How often the space of a layer that is being unpacked is looked at. */
  imageUnpackLookMs: 1_000,
  /** One pull as a whole may take as long as it gets on; this bounds what is waited for it in one piece. */
  imagePullMs: 86_400_000,
  /** A pull that was cut off may go on from where it was for so long; then its parts are collected. */
  imagePullKeptMs: 86_400_000,
  /** How often a slot looks how far its pull has come. */
  imageProgressMs: 1_000,
  /** How long a deploy waits to hear what its images are; then it is taken without, and its slots pull what they find. */
  deployResolveMs: 10_000,
  /** A registry that says nothing for so long is asked again. */
  registrySilenceMs: 30_000,
  /** Attempts without any progress … */
  registryAttempts: 5,
  /** … and in all, for one layer: a registry that cuts every few bytes must not be followed for ever. */
  registryAttemptsInAll: 200,
  registryBackoffMs: 500,
  registryBackoffMaxMs: 8_000,
  /** A registry that wants to be left alone for longer is not waited for: the slot tries again later. */
  registryRetryAfterMs: 60_000,
  registryRedirects: 5,
  /** A token server's answer. */
  registryTokenBytes: 65_536,
  /** A credential helper's answer, and its time. */
  registryHelperBytes: 65_536,
  registryHelperMs: 10_000,
  /** The pause before a failed step of the runtime, network or store is tried again. */
  retryMs: 1_000,
  /** How often every level-triggered loop looks by itself, without an event. */
  reconcileMs: 30_000,

  /** Restart backoff of containers: doubles from first to last, ±20 %. */
  backoffMinMs: 500,
  backoffMaxMs: 30_000,
  backoffJitter: 0.2,
  /** Failures in a row that make a crash loop: one is an accident, two may be a slow dependency. */
  crashLoopFailures: 3,
  /** A run that lasted this long forgives the failures before it. */
  backoffResetMs: 60_000,
  /** What nothing probes has settled when it has run for so long: most that crash at their start do so sooner … */
  settleMs: 2_000,
  /** … and after a failure of its placement: what takes a little longer to crash has shown itself by then. */
  settleAfterFailureMs: 10_000,
  /** From a wish to withdraw an endpoint to the stop of its container, when names or ports cannot be changed. */
  withdrawMs: 2_000,
  /** What is under way may finish: most answers take less. */
  drainMs: 250,
  /** … where others serve as well: who asked for the name just before may still come, for as long as names are kept. */
  drainSharedMs: 1_200,
  /** One run of a hook that names no bound of its own. */
  hookMs: 30_000,
  /** Compose's default for stop_grace_period. */
  stopGraceMs: 10_000,
  /** How long a container may take to be gone after SIGKILL before it is called stuck. */
  killMs: 10_000,

  /** What a probe reads of an answer that has not passed: enough to show. */
  probeBodyBytes: 1_024,
  /** The pause after the first probe of a container that is not healthy yet: a fast service is in the names fast. */
  firstProbeMs: 100,

  /** A supervisor's default restart intensity. */
  intensityRestarts: 5,
  intensityPeriodMs: 30_000,
  shutdownMs: 5_000,

  /** A log file of a run is rotated at this size … */
  logFileBytes: 16_777_216,
  /** … and this many rotated ones are kept. */
  logFiles: 3,
  /** One log line; a longer one becomes several, and says so. */
  logLineBytes: 65_536,
  /** Read of a log at once: twenty of the longest lines, and a fraction of a second of the chattiest container. */
  logReadBytes: 1_048_576,
  /** Words that lines of logs are looked through for: a handful, not a document. */
  logGrepChars: 256,
  /** Stamps of a run before the old ones are thinned: ≈ 200 KB, seven minutes of one every 50 ms. */
  logStamps: 8_192,
  /** Runs of a slot whose logs are kept. */
  logRuns: 5,
  /** Old bytes of a log are given back in steps not smaller than this: each costs a run of fallocate. */
  logStepBytes: 1_048_576,
  /** Logs of a slot that is gone stay readable for a day, … */
  logRetiredMs: 86_400_000,
  /** … of the newest so many slots: some apps of fifty replicas, … */
  logRetiredSlots: 200,
  /** … in so many bytes of disk altogether: five chatty containers at their own bound. */
  logRetiredBytes: 268_435_456,
  /** How often those that are too old are looked for. */
  logSweepMs: 3_600_000,

  /** One run of ip or nft: 2–30 ms when all is well, seconds on a machine with many thousand links. */
  networkCommandMs: 10_000,
  /** What it may say: 10,000 links in JSON are ≈ 10 MB, a socket is 150 bytes in /proc/net/tcp. */
  networkCommandBytes: 33_554_432,

  /** Flows of UDP whose container is gone, by callers who go on: the kernel forgets a silent one after 120 s, … */
  movedFlowMs: 180_000,
  /** … and more of them than this stay where they were. */
  movedFlows: 65_535,
  /** Connections and UDP talks by published ports at IPv6 addresses, which the daemon itself passes on: two sockets each. */
  relayPassages: 4_096,
  /** A UDP talk in which nobody says anything: the kernel forgets such a one of IPv4 after 120 s as well. */
  relaySilenceMs: 120_000,

  /** A node with fewer free addresses claims a further block: a deploy of ten does not wait for the store. */
  addressReserve: 8,

  /** One secret or config: Docker's bound for secrets, and sealed as text it fits one value of the store. */
  secretBytes: 524_288,
  /** Versions of a secret that are kept: what runs holds the present one, or for a short while the one before. */
  secretVersions: 5,
  secretNameChars: 128,
  /** Secrets of one store; with five versions of the largest each they are 3 GB. */
  secrets: 1_000,
  /** Sealed values that one page of a rekeying reads: at most 7 MB at once. */
  secretPage: 10,
  /** New configs and secrets that one deploy brings: with the app's other writes they are one transaction … */
  appFiles: 64,
  /** … and so are their sealed bytes as text, beside a revision of the usual size. */
  appFileBytes: 1_000_000,
  /** Sealed values that a deploy forgets because nothing refers to them: the rest of its transaction is for what it brings. */
  appFilesForgotten: 8,
  /** A run's files without a container are removed after this long: between placing and creating lies one call. */
  grantOrphanMs: 120_000,
  /** mount and umount: a few ms. */
  mountMs: 10_000,
  /** A key file: a few keys of 32 bytes. */
  secretKeyFileBytes: 65_536,

  dnsTtlS: 1,
  /** Addresses in one answer; they rotate, so every one has its turn. At 300 bytes each they fit a TCP message. */
  dnsAddresses: 200,
  dnsForwardMs: 2_000,
  dnsForwards: 1_000,
  dnsCache: 4_096,
  /** Sets of servers that containers name (`dns:`) and that have a forwarder of their own: each has sockets and a cache. */
  dnsForwarders: 32,
  /** Answers waiting on one TCP stream whose other end does not read: two of the largest. */
  dnsStreamBytes: 131_072,

  /** Messages that wait for one peer: a burst of every record and every watch of a node … */
  peerQueueFrames: 4_096,
  /** … and their bytes: two of the largest; fifty slow peers at once are 400 MiB at worst. */
  peerQueueBytes: 8_388_608,
  /** Questions to one peer without an answer, watches of its actors among them. */
  peerQuestions: 1_024,
  /** Questions of one peer that are being answered; beyond, it is told to come later. */
  peerAnswering: 1_024,
  /** Words of one peer that are being heard; beyond, the rest waits at its end. */
  peerHearing: 64,
  /** From the first packet to the greeting: a handshake over a slow line takes a second. */
  peerConnectMs: 10_000,
  /** Connections to the cluster port that have not shown a certificate: a rack that joins at once … */
  unprovenConnections: 256,
  /** … and those of one address: nodes behind one translation. */
  unprovenOfAddress: 64,
  /** How often connections are looked through for certificates out of their term: terms are days. */
  certificateLookMs: 60_000,
  /** An idle connection is asked so rarely whether its other end is there; where gossip or a late answer makes one doubt it, at once … */
  peerQuietMs: 60_000,
  /** … and again after this, until something comes. */
  peerHeartbeatMs: 5_000,
  /** A peer that says nothing to three questions is gone: its machine is, or the way to it. */
  peerSilenceMs: 15_000,
  /** Connections that this node made and does not need at the moment. */
  peerIdle: 32,
  /** … for so long: then its heartbeats, three packets each, have cost nearly what it costs to make one. */
  peerRestMs: 300_000,
  /** … looked at so often. */
  peerTidyMs: 15_000,
  /** The pause after an attempt that failed doubles from first to last, and varies by half. */
  peerBackoffMs: 200,
  peerBackoffMaxMs: 5_000,
  /** An actor of another node is watched so long while the node is not reached: twice what finds a node dead. */
  remoteWatchMs: 60_000,
  /** … and asked about again so often. */
  remoteWatchRetryMs: 1_000,
  /** Peers whose figures are kept: more than a cluster has. */
  peersRemembered: 2_048,

  apiBodyBytes: 2_097_152,
  /** One frame of a WebSocket; a terminal sends some KiB, and the first frame of an exec holds its environment. */
  apiFrameBytes: 1_048_576,
  /** A thousand who watch, and room for logs and exec. */
  apiStreams: 2_048,
  /** Requests of one client of a door: above what one core can answer, below what starves the rest for long. */
  apiRequestsPerSecond: 20_000,
  apiRequestBurst: 20_000,
  /** Changes of one client: each costs a commit; a store makes some thousand. */
  apiChangesPerSecond: 1_000,
  apiChangeBurst: 2_000,
  /** Clients whose rates are remembered. */
  apiClients: 4_096,
  /** Connections of one door: its streams, and as many that ask. */
  apiConnections: 4_096,
  /** All headers of a request: a token, a condition, a cursor. */
  apiHeaderBytes: 32_768,
  /** A body that is no upload must have arrived after this long: 2 MiB over a slow line. */
  apiBodyMs: 30_000,
  /** Named tokens: people, pipelines and dashboards of a small team. */
  apiTokens: 1_000,
  /** Ten years: who needs longer leaves the end out. */
  apiTokenS: 315_360_000,
  /** Figures of disk use are measured again when they are older. */
  metricsDiskMs: 60_000,
  /** Refusals for want of a right that are told apart: a token and a route each. */
  auditKinds: 1_024,
  /** The same again within this is counted, not told. */
  auditRepeatMs: 60_000,
  /** Answers remembered by their Idempotency-Key … */
  apiIdempotencyKeys: 4_096,
  /** … all of them together … */
  apiIdempotencyBytes: 16_777_216,
  /** … and each: answers of POST are short. */
  apiIdempotencyAnswer: 65_536,
  /** A day, as the draft's users keep them. */
  apiIdempotencyMs: 86_400_000,
  /** Rows on one page. */
  apiPageRows: 1_000,
  apiFilterChars: 1_024,
  apiTopics: 32,
  /** Faults of a request that are told: more than anybody mends in one go. */
  apiFaults: 50,
  /** Rows that are watched are gathered at most this often after something happened … */
  apiWatchMs: 100,
  /** … and this often when nothing did: for what no actor tells (images, files). */
  apiWatchPollMs: 5_000,
  /** Lists watched at once, each with its own question. */
  apiFeeds: 256,
  apiStreamFrames: 2_000,
  /** … and the bytes that wait for one slow reader: a burst of long log lines, 256 times over is 1 GiB at worst. */
  apiStreamBytes: 4_194_304,
  /** Lines one request may ask for at once. */
  apiLines: 100_000,
  /** How long a client of the API may take to say all of its headers, or its first exec message. */
  apiHandshakeMs: 10_000,
  /** How often a WebSocket is pinged: a client that died while it was held back shows only then. */
  apiPingMs: 15_000,
  /** How long a port of a container may take to accept: it is on this machine, or as near. */
  forwardConnectMs: 10_000,
  /** Connections one port-forward of the command line carries at once; a browser opens six to a host. */
  forwardConnections: 256,
  /** Events and steps of actors in a debug bundle: the last minutes of a busy node. */
  debugLines: 1_000,
  /** … its apps … */
  debugApps: 200,
  /** … and the length of one part: a bundle goes with a mail. */
  debugPartChars: 4_194_304,
  /** A program that does not say its version by then is left out. */
  debugProgramMs: 5_000,
  /** How far apart the clocks of two nodes may be: NTP keeps them within a second, Kerberos allows as much. */
  clusterSkewMs: 300_000,
  /** A certificate's term: a node that is away for days comes back by itself, one that was stolen is out within a week. */
  certificateMs: 604_800_000,
  /** The authority's own: longer than a cluster lives. */
  authorityMs: 315_360_000_000,
  /** How soon a node sees that its clock was set, and that its certificate is of no use by the new time. */
  clockLookMs: 10_000,
  /** A renewal that failed is tried again after so long, then twice as long … */
  renewalRetryMs: 1_000,
  /** … and this at most: a server that comes back is not asked by all at once, and none waits for hours. */
  renewalRetryMostMs: 300_000,
  /** Addresses a node keeps to find its cluster by. */
  clusterSeeds: 32,
  /** Join tokens kept; those that expired go first. */
  joinTokens: 256,
  /** What a join token lasts: long enough to copy it to a machine … */
  joinTokenMs: 3_600_000,
  /** … and at most, for images of machines that are made once a month. */
  joinTokenMostMs: 2_678_400_000,
  /** Nodes that one token lets in at most: a fleet is added with a few. */
  joinTokenUses: 1_000,
  /** A request to join is a certificate request and a few names. */
  joinBytes: 65_536,
  /** From the first byte to the answer. */
  joinMs: 15_000,
  /** Wrong tokens from one address in a minute; then it waits. A person mistypes two or three times. */
  joinWrongTries: 10,
  joinWrongMs: 60_000,
  /** Addresses whose wrong tries are remembered. */
  joinClients: 4_096,
  /** Requests of one node at the store of another that are under way: a connection carries no more of use at once. */
  remoteStoreCalls: 256,
  /** Bytes of one page of a list, or of one answer of a watch: well below the longest frame. */
  remoteStoreBytes: 2_097_152,
  /** Rows of one page. */
  remoteStoreRows: 500,
  /** How often a list that takes several pages is begun anew when its revision is compacted meanwhile. */
  remoteStoreLists: 3,
  /** A node that joined and was not heard since, or not since its server began to listen, is gone after … */
  unheardMs: 60_000,
  /** How long a node that joins waits for a seed that answers: machines of a cluster start together. */
  joinWaitMs: 60_000,
} as const;
