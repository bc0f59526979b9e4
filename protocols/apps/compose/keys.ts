/**
 * Keys of the Compose specification that are known and not supported yet: refused by name, so that nothing is
 * dropped in silence. A key leaves this list when its reader appears.
 */
const words = (text: string): ReadonlySet<string> => new Set(text.split(/\s+/));

export const laterTopLevel = words('include networks configs secrets models x-hivemind');

export const laterService = words(
  `annotations attach build blkio_config cap_add cap_drop cgroup cgroup_parent configs container_name cpu_count
   cpu_percent cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpus cpuset credential_spec develop
   device_cgroup_rules devices dns dns_opt dns_search domainname driver_opts env_file expose extends external_links
   extra_hosts gpus group_add hostname init ipc isolation label_file labels links logging mac_address mem_limit
   mem_reservation mem_swappiness memswap_limit models networks oom_kill_disable oom_score_adj pid pids_limit platform
   post_start pre_stop privileged profiles provider pull_policy read_only runtime scale secrets security_opt shm_size
   stdin_open storage_opt sysctls tty ulimits use_api_socket user userns_mode uts volumes_from working_dir x-hivemind`,
);

export const laterDeploy = words(
  'endpoint_mode labels mode placement resources restart_policy rollback_config update_config',
);

export const laterHealthcheck = words('start_interval');
export const laterDependency = words('required restart');
export const laterVolume = words('driver driver_opts external labels name');
