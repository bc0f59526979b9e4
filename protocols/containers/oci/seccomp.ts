/**
 * The system calls a container may make: everything ordinary programs use; nothing that reaches around
 * namespaces, loads code into the kernel, changes the clock or watches other processes' memory. A refused call
 * answers EPERM, so programs that probe for features fall back. The table is our own, in the spirit of the profile
 * Docker users know. Names that an architecture lacks are skipped by the runtime.
 */
import type { OciSeccomp, OciSeccompRule } from './types.ts';

const allow = 'SCMP_ACT_ALLOW';
const refuse = 'SCMP_ACT_ERRNO';
const eperm = 1;
const enosys = 38;

/** clone(2) flags that make namespaces: NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const namespaceFlags = 0x7e020000;
/** Sockets to the hypervisor leave the network namespace; kernel crypto sockets have a long record of holes. */
const familyAlg = 38;
const familyVsock = 40;
/** PER_LINUX, PER_LINUX32, both with UNAME26, and "only ask". */
const personalities = [0x0, 0x8, 0x20000, 0x20008, 0xffffffff];

/** By what they are for, so that a reader can judge each group. */
const ordinary: Readonly<Record<string, string>> = {
  files: `access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 faccessat
    faccessat2 fadvise64 fadvise64_64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat
    fcntl fcntl64 fdatasync flock fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futimesat
    getcwd getdents getdents64 lchown lchown32 link linkat lseek _llseek lstat lstat64 mkdir mkdirat mknod
    mknodat newfstatat open openat openat2 readlink readlinkat rename renameat renameat2 rmdir stat stat64 statfs
    statfs64 statx symlink symlinkat sync sync_file_range sync_file_range2 arm_sync_file_range syncfs truncate
    truncate64 umask unlink unlinkat utime utimensat utimensat_time64 utimes arm_fadvise64_64 cachestat
    name_to_handle_at`,
  attributes: `fgetxattr flistxattr fremovexattr fsetxattr getxattr getxattrat lgetxattr listxattr listxattrat
    llistxattr lremovexattr lsetxattr removexattr removexattrat setxattr setxattrat`,
  streams: `pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readv sendfile sendfile64
    splice tee vmsplice write writev ioctl io_cancel io_destroy io_getevents io_pgetevents
    io_pgetevents_time64 io_setup io_submit`,
  waiting: `epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait
    epoll_wait_old eventfd eventfd2 fanotify_mark inotify_add_watch inotify_init inotify_init1
    inotify_rm_watch poll ppoll ppoll_time64 pselect6 pselect6_time64 select _newselect signalfd signalfd4
    timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64`,
  sockets: `accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg
    recvmmsg_time64 recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketcall socketpair`,
  memory: `brk madvise map_shadow_stack membarrier memfd_create memfd_secret mincore
    mlock mlock2 mlockall mmap mmap2 mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free
    pkey_mprotect process_mrelease remap_file_pages`,
  processes: `execve execveat exit exit_group fork vfork getpgid getpgrp getpid getppid getpriority getrusage
    getsid gettid get_robust_list set_robust_list set_tid_address setpgid setpriority setsid
 pidfd_open pidfd_send_signal prctl process_madvise wait4 waitid waitpid rseq
    getrlimit ugetrlimit prlimit64 setrlimit get_thread_area set_thread_area ioprio_get ioprio_set times`,
  identity: `capget capset getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getresgid
    getresgid32 getresuid getresuid32 getuid getuid32 setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32
    setgroups setgroups32 setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32
    setuid setuid32`,
  signals: `kill pause restart_syscall rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn
    rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack sigprocmask sigreturn
    tgkill tkill`,
  time: `alarm clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep
    clock_nanosleep_time64 getitimer gettimeofday nanosleep setitimer time timer_create
    timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 adjtimex`,
  scheduling: `futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake getcpu sched_getaffinity
    sched_getattr sched_getparam sched_get_priority_max sched_get_priority_min sched_getscheduler
    sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam
    sched_setscheduler sched_yield`,
  messages: `ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend
    mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop
    semtimedop_time64 shmat shmctl shmdt shmget`,
  system: `getrandom sysinfo uname seccomp landlock_add_rule landlock_create_ruleset landlock_restrict_self
    ptrace process_vm_readv process_vm_writev`,
};

/** The few that exist only there and are ordinary there. */
const byArchitecture: Readonly<Record<string, { architectures: readonly string[]; names: string }>> = {
  amd64: {
    architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
    names: 'arch_prctl modify_ldt',
  },
  arm64: {
    architectures: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
    names: 'breakpoint cacheflush set_tls',
  },
};

/** Calls that a capability already guards: useless without it, meant with it. */
const byCapability: Readonly<Record<string, string>> = {
  CAP_SYS_CHROOT: 'chroot',
};

/**
 * The profile for an image architecture (`amd64`, `arm64`; another gets the kernel's own alone) and the
 * capabilities the process starts with.
 */
export function seccompProfile(architecture: string, capabilities: readonly string[]): OciSeccomp {
  const own = byArchitecture[architecture];
  const names = new Set([
    ...Object.values(ordinary).flatMap(words),
    ...words(own?.names ?? ''),
    ...capabilities.flatMap((capability) => words(byCapability[capability] ?? '')),
  ]);
  return {
    defaultAction: refuse,
    defaultErrnoRet: eperm,
    ...(own ? { architectures: own.architectures } : {}),
    syscalls: [{ names: [...names].sort(), action: allow }, ...conditional],
  };
}

const conditional: readonly OciSeccompRule[] = [
  ...personalities.map((value) => only('personality', { index: 0, value, op: 'SCMP_CMP_EQ' })),
  only('clone', { index: 0, value: namespaceFlags, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }),
  // Its flags lie in memory where a filter cannot look; "no such call" makes the C library use clone.
  { names: ['clone3'], action: refuse, errnoRet: enosys },
  // Rules of one call are alternatives, so "neither 38 nor 40" is written as ranges.
  only('socket', { index: 0, value: familyAlg, op: 'SCMP_CMP_LT' }),
  only('socket', { index: 0, value: familyAlg + 1, op: 'SCMP_CMP_EQ' }),
  only('socket', { index: 0, value: familyVsock, op: 'SCMP_CMP_GT' }),
];

function only(name: string, arg: NonNullable<OciSeccompRule['args']>[number]): OciSeccompRule {
  return { names: [name], action: allow, args: [arg] };
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}
