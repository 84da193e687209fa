//! Calls: counted by kind, and made to fail on request.

#![forbid(unsafe_code)]

use core::ffi::CStr;

macro_rules! calls {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal, $can_fail:literal;)*) => {
        /// A function of QNX's C library that the stand-in answers.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub enum Call {
            $($(#[$doc])* $name = $number,)*
        }

        impl Call {
            /// Every function, in the order of its number.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its name in C.
            #[must_use]
            pub const fn name(self) -> &'static CStr {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// Whether it can be made to fail.
            #[must_use]
            pub const fn can_fail(self) -> bool {
                match self {
                    $(Self::$name => $can_fail,)*
                }
            }
        }
    };
}

calls! {
    /// `mallopt`.
    Mallopt = 0, c"mallopt", true;
    /// `posix_memalign`.
    PosixMemalign = 1, c"posix_memalign", true;
    /// `malloc`.
    Malloc = 2, c"malloc", true;
    /// `realloc`.
    Realloc = 3, c"realloc", true;
    /// `free`.
    Free = 4, c"free", false;
    /// `mallinfo`, in both shapes.
    Mallinfo = 5, c"mallinfo", false;
    /// `mprotect`.
    Mprotect = 6, c"mprotect", true;
    /// `mmap` and `mmap64`.
    Mmap = 7, c"mmap", true;
    /// `munmap`.
    Munmap = 8, c"munmap", true;
    /// `mlock`.
    Mlock = 9, c"mlock", true;
    /// `munlock`.
    Munlock = 10, c"munlock", true;
    /// `sysconf`.
    Sysconf = 11, c"sysconf", false;
    /// `__get_errno_ptr`.
    GetErrnoPtr = 12, c"__get_errno_ptr", false;
    /// `getrlimit`.
    Getrlimit = 13, c"getrlimit", true;
    /// `SchedCtl`.
    SchedCtl = 14, c"SchedCtl", true;
    /// `getenv`.
    Getenv = 15, c"getenv", false;
    /// `usleep`.
    Usleep = 16, c"usleep", false;
    /// `sched_yield`.
    SchedYield = 17, c"sched_yield", false;
    /// `write`.
    Write = 18, c"write", false;
    /// `_exit`.
    Exit = 19, c"_exit", false;
    /// `abort`.
    Abort = 20, c"abort", false;
    /// `pthread_key_create`.
    PthreadKeyCreate = 21, c"pthread_key_create", true;
    /// `pthread_key_delete`.
    PthreadKeyDelete = 22, c"pthread_key_delete", false;
    /// `pthread_getspecific`.
    PthreadGetspecific = 23, c"pthread_getspecific", false;
    /// `pthread_setspecific`.
    PthreadSetspecific = 24, c"pthread_setspecific", true;
    /// `pthread_mutex_init`. A switch refuses it.
    PthreadMutexInit = 25, c"pthread_mutex_init", false;
    /// `pthread_mutex_destroy`.
    PthreadMutexDestroy = 26, c"pthread_mutex_destroy", false;
    /// `pthread_mutex_lock`.
    PthreadMutexLock = 27, c"pthread_mutex_lock", false;
    /// `pthread_mutex_trylock`.
    PthreadMutexTrylock = 28, c"pthread_mutex_trylock", false;
    /// `pthread_mutex_unlock`.
    PthreadMutexUnlock = 29, c"pthread_mutex_unlock", false;
}

const KINDS: usize = Call::ALL.len();

impl Call {
    /// The function with a number.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }
}

/// Which calls fail on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    Never,
    /// After so many more calls that can fail, one does.
    Once(usize),
    /// After so many more calls of one kind, one does.
    OnceOf(Call, usize),
    /// After so many more calls that can fail, all do.
    From(usize),
}

/// Counts and the plan.
pub(crate) struct Calls {
    counts: [usize; KINDS],
    failable: usize,
    failures: usize,
    plan: Plan,
}

impl Calls {
    pub(crate) const fn new() -> Self {
        Self {
            counts: [0; KINDS],
            failable: 0,
            failures: 0,
            plan: Plan::Never,
        }
    }

    /// Counts a call; true if it is to fail.
    pub(crate) fn enter(&mut self, call: Call) -> bool {
        self.counts[call as usize] += 1;
        if !call.can_fail() {
            return false;
        }
        self.failable += 1;
        let (fails, plan) = match self.plan {
            Plan::Once(0) => (true, Plan::Never),
            Plan::OnceOf(which, 0) if which == call => (true, Plan::Never),
            Plan::From(0) => (true, Plan::From(0)),
            Plan::Once(more) => (false, Plan::Once(more - 1)),
            Plan::OnceOf(which, more) if which == call => (false, Plan::OnceOf(which, more - 1)),
            Plan::From(more) => (false, Plan::From(more - 1)),
            other => (false, other),
        };
        self.plan = plan;
        self.failures += usize::from(fails);
        fails
    }

    pub(crate) fn fail_nth(&mut self, n: usize) {
        self.plan = n.checked_sub(1).map_or(Plan::Never, Plan::Once);
    }

    pub(crate) fn fail_nth_of(&mut self, call: Call, n: usize) {
        self.plan = n
            .checked_sub(1)
            .map_or(Plan::Never, |more| Plan::OnceOf(call, more));
    }

    pub(crate) fn fail_from(&mut self, n: usize) {
        self.plan = n.checked_sub(1).map_or(Plan::Never, Plan::From);
    }

    pub(crate) fn count(&self, call: Call) -> usize {
        self.counts[call as usize]
    }

    pub(crate) fn failable(&self) -> usize {
        self.failable
    }

    pub(crate) fn failures(&self) -> usize {
        self.failures
    }

    /// Sets the counts to zero; the plan stays.
    pub(crate) fn forget(&mut self) {
        *self = Self {
            plan: self.plan,
            ..Self::new()
        };
    }
}
