//! What the operating system says of this process: read from `/proc`, never while the clock runs.

use std::fs;

/// Minor page faults so far, of all threads of the process together.
///
/// ```
/// use benches::PageFaults;
///
/// let before = PageFaults::now()?;
/// let pages = vec![1_u8; 64 << 20];
/// assert!(PageFaults::now()?.since(before) > 0);
/// assert_eq!(pages[1 << 20], 1);
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageFaults(u64);

impl PageFaults {
    /// The count as it stands.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn now() -> Result<Self, String> {
        let text = read("/proc/self/stat")?;
        // The second field is the program's name, in parentheses, and may hold spaces.
        let fields = text.rsplit_once(") ").map(|(_, rest)| rest);
        let faults = fields.and_then(|fields| fields.split(' ').nth(7));
        faults
            .and_then(|faults| faults.parse().ok())
            .map(Self)
            .ok_or_else(|| format!("/proc/self/stat: no count of faults in `{text}`"))
    }

    /// Faults since an earlier reading.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Address space and memory of this process, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressSpace {
    /// Everything mapped, accessible or not.
    pub mapped: u64,
    /// What is in memory.
    pub resident: u64,
    /// Page tables.
    pub page_tables: u64,
}

impl AddressSpace {
    /// As it stands.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn now() -> Result<Self, String> {
        let text = read("/proc/self/status")?;
        Ok(Self {
            mapped: bytes(&text, "VmSize:")?,
            resident: bytes(&text, "VmRSS:")?,
            page_tables: bytes(&text, "VmPTE:")?,
        })
    }

    /// The most that was ever in memory, or since `5` was written to `/proc/self/clear_refs`.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn peak_resident() -> Result<u64, String> {
        bytes(&read("/proc/self/status")?, "VmHWM:")
    }

    /// What was added since an earlier reading; what went away counts as nothing.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self {
            mapped: self.mapped.saturating_sub(earlier.mapped),
            resident: self.resident.saturating_sub(earlier.resident),
            page_tables: self.page_tables.saturating_sub(earlier.page_tables),
        }
    }
}

/// A line of `/proc/self/status`, in bytes.
fn bytes(status: &str, name: &str) -> Result<u64, String> {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let count = line.and_then(|line| line.trim().strip_suffix(" kB"));
    count
        .and_then(|count| count.parse::<u64>().ok())
        .map(|count| count * 1024)
        .ok_or_else(|| format!("/proc/self/status: no `{name}`"))
}

pub(crate) fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_written_is_seen() {
        let before = AddressSpace::now().unwrap();
        let pages = vec![7_u8; 64 << 20];
        let grown = AddressSpace::now().unwrap().since(before);
        assert!(pages.iter().step_by(4096).all(|&byte| byte == 7));
        // Other tests run meanwhile, and may give back some.
        assert!(grown.mapped >= 32 << 20, "{grown:?}");
        assert!(grown.resident >= 32 << 20, "{grown:?}");
        assert!(grown.page_tables >= 32 << 10, "{grown:?}");
    }
}
