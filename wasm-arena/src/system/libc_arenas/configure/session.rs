//! One configuration under way: what it tells the process, and how that is undone.
#![forbid(unsafe_code)]

use os::{NativeHeap, OsError};

use super::process::{self, Before, InForce, Owner, Setting};

/// One configuration, while it is under way.
pub(super) struct Session<'a, H> {
    pub(super) heap: &'a H,
    pub(super) owner: Owner,
    pub(super) told: [Option<isize>; Setting::COUNT],
    /// What stood in the register before the first change of this session, for settings it changed,
    /// and whether this system had told them before.
    pub(super) replaced: [Option<(Option<InForce>, bool)>; Setting::COUNT],
}

impl<H: NativeHeap> Session<'_, H> {
    /// Tells the process; returns what another arena system had asked for instead.
    pub(super) fn tell(
        &mut self,
        setting: Setting,
        value: isize,
    ) -> Result<Option<isize>, OsError> {
        let before = self.tell_over(setting, value)?;
        Ok(before
            .in_force
            .and_then(|known| known.displaced_by(self.owner, value)))
    }

    /// Tells the process; returns what there was before.
    pub(super) fn tell_over(&mut self, setting: Setting, value: isize) -> Result<Before, OsError> {
        let index = setting as usize;
        let told_before = self.told[index].is_some();
        let before = process::set(self.heap, self.owner, setting, value, told_before)?;
        self.told[index] = Some(value);
        self.replaced[index].get_or_insert((before.in_force, told_before));
        Ok(before)
    }

    /// Puts back what was in force before this session, as far as the heap takes it.
    pub(super) fn undo(&mut self) {
        for setting in Setting::ALL {
            if let Some((before, told_before)) = self.replaced[setting as usize] {
                process::take_back(self.heap, self.owner, setting, before, told_before);
            }
        }
    }
}
