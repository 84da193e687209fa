//! The QNX targets, and what runs their code here.

/// A QNX target, and its counterpart on Linux.
#[derive(Debug)]
pub(crate) struct Target {
    /// What the suite is compiled for.
    pub(crate) name: &'static str,
    /// What the stand-in is compiled for: the same processor and calling convention.
    pub(crate) linux: &'static str,
    /// Before the names of the linker and its kin.
    pub(crate) tools: &'static str,
    /// What runs the program, where this machine cannot.
    pub(crate) emulator: Option<&'static str>,
    /// Whether the suite is also built as for a machine with QNX, and run without anybody watching.
    pub(crate) unwatched: bool,
    /// Versions the stand-in plays; the first is the one compiled for.
    pub(crate) profiles: &'static [u32],
    /// Sizes of a host page beyond 4096 bytes (qnx-facts §6.6).
    pub(crate) host_pages: &'static [usize],
}

/// Every target; two versions for which no compiler exists are played on the first.
pub(crate) const TARGETS: [Target; 6] = [
    Target {
        name: "x86_64-pc-nto-qnx710",
        linux: "x86_64-unknown-linux-gnu",
        tools: "",
        emulator: None,
        unwatched: true,
        profiles: &[710, 700, 660, 650],
        host_pages: &[],
    },
    Target {
        name: "x86_64-pc-nto-qnx800",
        linux: "x86_64-unknown-linux-gnu",
        tools: "",
        emulator: None,
        unwatched: false,
        profiles: &[800],
        host_pages: &[],
    },
    Target {
        name: "i686-pc-nto-qnx700",
        // QNX keeps the stack aligned to words only, so no vector instruction may count on more.
        linux: "i586-unknown-linux-gnu",
        tools: "i686-linux-gnu-",
        // The processor runs it as it is; the emulator for it hangs.
        emulator: None,
        unwatched: false,
        profiles: &[700],
        host_pages: &[],
    },
    Target {
        name: "aarch64-unknown-nto-qnx700",
        linux: "aarch64-unknown-linux-gnu",
        tools: "aarch64-linux-gnu-",
        emulator: Some("qemu-aarch64"),
        unwatched: false,
        profiles: &[700],
        host_pages: &[],
    },
    Target {
        name: "aarch64-unknown-nto-qnx710",
        linux: "aarch64-unknown-linux-gnu",
        tools: "aarch64-linux-gnu-",
        emulator: Some("qemu-aarch64"),
        unwatched: true,
        profiles: &[710],
        host_pages: &[16384, 65536],
    },
    Target {
        name: "aarch64-unknown-nto-qnx800",
        linux: "aarch64-unknown-linux-gnu",
        tools: "aarch64-linux-gnu-",
        emulator: Some("qemu-aarch64"),
        unwatched: false,
        profiles: &[800],
        host_pages: &[16384],
    },
];

impl Target {
    /// The target of this name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.name == name)
    }

    /// The name of a tool that understands this target's objects.
    pub(crate) fn tool(&self, name: &str) -> String {
        format!("{}{name}", self.tools)
    }

    /// A name in the C library, as the stand-in exports it: one of its functions has two layouts
    /// (qnx-facts §5.2).
    pub(crate) fn stand_in_name(&self, import: &str) -> String {
        match import {
            "mallinfo" if self.profiles.contains(&800) => "qnx_mallinfo_800".to_owned(),
            _ => format!("qnx_{import}"),
        }
    }
}
