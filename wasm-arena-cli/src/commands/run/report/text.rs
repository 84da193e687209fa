//! The report for people: aligned, with sizes both readable and exact, on one screen.

use core::fmt::Write;

use super::super::contents;
use super::{ArenasReport, Memory, MemoryKind, Report, SettingValue};
use crate::size::{grouped, human};

/// The width of the first column.
const LABEL: usize = 15;

/// The whole report, ending with a line feed.
pub(in super::super) fn to_text(report: &Report) -> String {
    let mut page = Page::default();
    page.line("", "---- memory report ----");
    let outcome = match report.outcome.kind {
        "exited" => format!("exit code {}", report.outcome.exit_code),
        "returned" => "returned".to_owned(),
        kind => format!("{kind} (exit code {})", report.outcome.exit_code),
    };
    page.line("guest", &format!("{}: {outcome}", report.module));
    page.line(
        "memory from",
        &format!(
            "{}, strategy {}, {} {}, host page {}",
            report.system,
            report.strategy,
            report.engine.name,
            report.engine.version,
            human(report.host_page_bytes)
        ),
    );
    let times = [
        ("compiled", report.time.compile_nanoseconds),
        ("ran", report.time.run_nanoseconds),
    ];
    let times = times.iter().filter_map(|(what, nanoseconds)| {
        nanoseconds.map(|nanoseconds| format!("{what} in {}", duration(nanoseconds)))
    });
    page.line("time", &times.collect::<Vec<_>>().join(", "));
    page.blank();
    memories(&mut page, &report.memories);
    if let Some(contents) = &report.contents {
        for (index, line) in contents::lines(contents).iter().enumerate() {
            page.line(if index == 0 { "contents" } else { " " }, line);
        }
    }
    arenas(&mut page, &report.arenas);
    page.text
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn line(&mut self, label: &str, what: &str) {
        let line = if label.is_empty() {
            what.to_owned()
        } else {
            format!("{label:<LABEL$}{what}")
        };
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn blank(&mut self) {
        self.text.push('\n');
    }

    /// Rows with every column as wide as its widest cell; the first row is the heading.
    fn table(&mut self, rows: &[Vec<String>]) {
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in rows {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let width = widths[column];
                let written = if column == 0 {
                    write!(line, "{cell:<LABEL$}")
                } else {
                    write!(line, "{cell:>width$}  ")
                };
                debug_assert!(written.is_ok(), "writing to a string cannot fail");
            }
            self.line("", &line);
        }
    }
}

fn duration(nanoseconds: u64) -> String {
    let microseconds = nanoseconds / 1000;
    match microseconds {
        0..10_000 => format!("{microseconds} us"),
        10_000..10_000_000 => format!("{} ms", microseconds / 1000),
        _ => format!(
            "{}.{} s",
            microseconds / 1_000_000,
            microseconds / 100_000 % 10
        ),
    }
}

fn optional(bytes: Option<u64>) -> String {
    bytes.map_or("-".to_owned(), human)
}

fn memories(page: &mut Page, memories: &[Memory]) {
    if memories.is_empty() {
        page.line("memories", "none");
        return;
    }
    let heading = [
        "memory", "initial", "final", "peak", "maximum", "grows", "refused", "moved", "copied",
        "guards", "capacity",
    ];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    for memory in memories {
        let maximum = memory.maximum_pages.map_or("none".to_owned(), grouped);
        // What 32 bits cannot index is no cap of the host's.
        let natural = if memory.is_64 { u64::MAX } else { 1 << 32 };
        let uncapped = memory.maximum_bytes.unwrap_or(u64::MAX).min(natural);
        let limit = match memory.limit_bytes {
            Some(limit) if limit < uncapped => {
                format!(
                    "{maximum} (capped {})",
                    grouped(limit / memory.page_size_bytes)
                )
            }
            _ => maximum,
        };
        let guards = match (memory.guard_before_bytes, memory.guard_after_bytes) {
            (None, None) => "-".to_owned(),
            (before, after) => format!("{} + {}", optional(before), optional(after)),
        };
        rows.push(vec![
            match memory.kind {
                MemoryKind::Linear => memory.index.to_string(),
                MemoryKind::EngineHeap => "(engine)".to_owned(),
            },
            grouped(memory.initial_pages),
            grouped(memory.final_pages),
            grouped(memory.peak_pages),
            limit,
            grouped(memory.grows),
            grouped(memory.refused_grows),
            memory.moves.map_or("-".to_owned(), grouped),
            optional(memory.bytes_copied),
            guards,
            optional(memory.capacity_bytes),
        ]);
    }
    page.table(&rows);
    let mut page_sizes: Vec<u64> = memories
        .iter()
        .map(|memory| memory.page_size_bytes)
        .collect();
    page_sizes.sort_unstable();
    page_sizes.dedup();
    let unit = match page_sizes.as_slice() {
        [one] => human(*one),
        _ => {
            let each = memories.iter().map(|memory| {
                format!("memory {}: {}", memory.index, human(memory.page_size_bytes))
            });
            each.collect::<Vec<_>>().join(", ")
        }
    };
    page.line("", &format!("{:LABEL$}(sizes in pages of {unit})", ""));
    for memory in memories {
        if let Some(why) = &memory.last_refusal {
            page.line(
                "",
                &format!("{:LABEL$}last refusal in {}: {why}", "", memory.index),
            );
        }
    }
}

fn arenas(page: &mut Page, arenas: &ArenasReport) {
    let Some(totals) = &arenas.totals else {
        page.line("totals", "not measured: the memory is Wasmtime's own");
        return;
    };
    page.blank();
    let exact = |bytes: u64| format!("{} ({})", human(bytes), grouped(bytes));
    let unknown = || "cannot be told here".to_owned();
    let row = |name: &str, last: Option<u64>, peak: Option<u64>| {
        let cell = |bytes: Option<u64>| bytes.map_or_else(unknown, exact);
        vec![name.to_owned(), cell(last), cell(peak)]
    };
    page.table(&[
        ["bytes", "at the end", "peak"].map(str::to_owned).to_vec(),
        row(
            "reserved",
            Some(totals.reserved_bytes),
            Some(totals.peak_reserved_bytes),
        ),
        row(
            "accessible",
            Some(totals.accessible_bytes),
            Some(totals.peak_accessible_bytes),
        ),
        row(
            "resident",
            totals.resident_bytes,
            totals.peak_resident_bytes,
        ),
    ]);
    page.line(
        "",
        &format!(
            "{:LABEL$}(resident: counted when the guest ended; linear memory never shrinks)",
            ""
        ),
    );
    if totals.refused_memories > 0 {
        let refused = grouped(totals.refused_memories);
        page.line("refused", &format!("{refused} memories, from the start"));
    }
    page.blank();
    if let Some(calls) = &arenas.os_calls {
        let made = calls.by_kind.iter().filter(|(_, count)| **count > 0);
        let kinds: Vec<String> = made
            .map(|(kind, count)| format!("{kind} {count}"))
            .collect();
        page.line(
            "os calls",
            &format!("{}: {}", calls.total, kinds.join(", ")),
        );
    }
    if let Some(cache) = &arenas.cache {
        page.line(
            "region cache",
            &format!(
                "hits {}, misses {}, evictions {}; holds {} regions with {}",
                cache.hits,
                cache.misses,
                cache.evictions,
                cache.held_regions,
                human(cache.held_bytes)
            ),
        );
    }
    if let Some(kept) = &arenas.bookkeeping {
        page.line(
            "bookkeeping",
            &format!(
                "{} of {} used; arenas: {} mapped, {} cached, hits {}, misses {}",
                human(kept.used_bytes),
                human(kept.mapped_bytes),
                kept.arenas_mapped,
                kept.cached_arenas,
                kept.cache_hits,
                kept.cache_misses
            ),
        );
    }
    match &arenas.budget {
        None => page.line("budget", "none"),
        Some(budget) => page.line(
            "budget",
            &format!(
                "{} of {} used, peak {}, refusals {}",
                human(budget.used_bytes),
                exact(budget.limit_bytes),
                human(budget.peak_bytes),
                budget.refusals
            ),
        ),
    }
    if let Some(left) = &arenas.left_over {
        let all_back = left.live_memories == 0
            && left.reserved_bytes == 0
            && left.budget_bytes == 0
            && left.unreturned_regions == 0;
        let text = if all_back {
            "nothing: everything was given back".to_owned()
        } else {
            format!(
                "{} memories, {} reserved, {} of the budget; {} regions ({}) lost",
                left.live_memories,
                exact(left.reserved_bytes),
                exact(left.budget_bytes),
                left.unreturned_regions,
                exact(left.unreturned_bytes)
            )
        };
        page.line("left over", &text);
    }
    configuration(page, arenas);
}

/// Options in force as asked in two columns; the others a line each, with the reason.
fn configuration(page: &mut Page, arenas: &ArenasReport) {
    let Some(settings) = &arenas.configuration else {
        return;
    };
    page.blank();
    page.line(
        "configuration",
        "(in force as asked, unless it says otherwise)",
    );
    let (as_asked, others): (Vec<_>, Vec<_>) = settings
        .iter()
        .partition(|setting| setting.outcome == "applied");
    let cells: Vec<String> = as_asked
        .iter()
        .map(|setting| format!("{:<24}{}", setting.option, value(&setting.in_force)))
        .collect();
    let lines = cells.len().div_ceil(2);
    for index in 0..lines {
        let right = cells.get(lines + index).map_or("", String::as_str);
        page.line("", &format!("  {:<44}{right}", cells[index]));
    }
    for setting in others {
        page.line(
            "",
            &format!(
                "  {:<24}{}, asked for {}: {}{}",
                setting.option,
                value(&setting.in_force),
                value(&setting.asked),
                setting.outcome,
                setting
                    .reason
                    .as_ref()
                    .map_or(String::new(), |reason| format!(", {reason}"))
            ),
        );
    }
}

fn value(value: &SettingValue) -> String {
    match value {
        SettingValue::Bytes(bytes) => human(*bytes),
        SettingValue::Count(count) => grouped(*count),
        SettingValue::Switch(true) => "on".to_owned(),
        SettingValue::Switch(false) => "off".to_owned(),
        SettingValue::Name(name) => name.clone(),
    }
}
