//! One life of a guest, and the least it can cost.

use core::hint::black_box;

use wasmtime::{Engine, InstancePre, Store};

use crate::peers::{Kind, Options, Runtime};

/// A memory, and what of it is touched.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Its size, in Wasm pages.
    pub(super) pages: u32,
    /// Bytes that a guest fills, from the start.
    pub(super) touched: u32,
}

impl Shape {
    pub(super) const fn new(pages: u32, touched: u32) -> Self {
        Self { pages, touched }
    }

    pub(super) fn name(self) -> String {
        let Self { pages, touched } = self;
        let plural = if pages == 1 { "" } else { "s" };
        let touched = match touched >> 10 {
            kib if kib < 1024 => format!("{kib} KiB"),
            kib => format!("{} MiB", kib >> 10),
        };
        format!("{pages} page{plural}, {touched}")
    }
}

/// What a guest fills its memory with.
const FILL: u8 = 0xa5;

/// What a call answers if all is well.
const SOUND: u32 = FILL as u32;

/// Compiled guests.
pub(super) struct Guest {
    engine: Engine,
    instance: InstancePre<()>,
    /// Bytes of data segments, from the start of the memory.
    data: u32,
}

/// What data segments are full of.
const DATA: u8 = 0x5a;

impl Guest {
    /// Guests with memories of so many pages, all zero.
    pub(super) fn new(runtime: &Runtime, pages: u32) -> Result<Self, String> {
        Self::with_data(runtime, pages, 0)
    }

    /// The same, with so many bytes of data at the start. Guests touch what comes after.
    pub(super) fn with_data(runtime: &Runtime, pages: u32, data: u32) -> Result<Self, String> {
        let segment = format!("\\{DATA:02x}").repeat(data as usize);
        let segment = if data == 0 {
            String::new()
        } else {
            format!(r#"(data (i32.const 0) "{segment}")"#)
        };
        // Whether what is touched was zero before, first byte and last, and the last afterwards.
        let text = format!(
            r#"(module
                (memory {pages})
                {segment}
                (func (export "touch") (param $bytes i32) (result i32)
                    (local $before i32) (local $last i32)
                    (local.set $last (i32.add (i32.const {data})
                        (i32.sub (local.get $bytes) (i32.const 1))))
                    (local.set $before (i32.or
                        (i32.load8_u (i32.const {data}))
                        (i32.load8_u (local.get $last))))
                    (memory.fill (i32.const {data}) (i32.const {FILL}) (local.get $bytes))
                    (i32.or
                        (i32.shl (local.get $before) (i32.const 8))
                        (i32.load8_u (local.get $last))))
                (func (export "data") (result i32)
                    (i32.add (i32.load8_u (i32.const 0)) (i32.load8_u (i32.const {last_of_data})))))"#,
            last_of_data = data.saturating_sub(1),
        );
        Ok(Self {
            engine: runtime.engine.clone(),
            instance: runtime.compile(&text)?,
            data,
        })
    }

    /// Makes a guest, calls it, and ends it.
    pub(super) fn cycle(&self, touched: u32) -> Result<(), String> {
        drop(self.live(touched)?);
        Ok(())
    }

    /// Makes a guest and calls it.
    pub(super) fn live(&self, touched: u32) -> Result<Store<()>, String> {
        let mut store = Store::new(&self.engine, ());
        let answer = (|| {
            let instance = self.instance.instantiate(&mut store)?;
            let touch = instance.get_typed_func::<u32, u32>(&mut store, "touch")?;
            touch.call(&mut store, touched)
        })();
        match answer {
            Ok(SOUND) => Ok(store),
            Ok(answer) => Err(format!(
                "touched {touched} bytes that held {:#x}, and read back {:#x}",
                answer >> 8,
                answer & 0xff
            )),
            Err(error) => Err(format!("{error:#}")),
        }
    }

    /// Dirties guests to their last byte, and sees that the next one finds nothing of it. Only after
    /// the race: pages that were touched once stay in memory, which is a case of its own.
    pub(super) fn check(&self, pages: u32) -> Result<(), String> {
        let whole = (pages << 16) - self.data;
        for _ in 0..3 {
            self.cycle(whole)?;
        }
        let mut store = Store::new(&self.engine, ());
        let data = self
            .instance
            .instantiate(&mut store)
            .and_then(|instance| instance.get_typed_func::<(), u32>(&mut store, "data"))
            .and_then(|data| data.call(&mut store, ()))
            .map_err(|error| format!("{error:#}"))?;
        let expected = if self.data == 0 {
            0
        } else {
            2 * u32::from(DATA)
        };
        if data == expected {
            Ok(())
        } else {
            Err(format!("data add up to {data}, not to {expected}"))
        }
    }
}

/// The same without a linear memory: an instance and a call, and a buffer of the host's that is
/// filled and zeroed. Nothing that hands out clean memory can be cheaper.
pub(super) struct Floor {
    engine: Engine,
    instance: InstancePre<()>,
    buffer: Vec<u8>,
}

impl Floor {
    pub(super) fn new(largest: u32) -> Result<Self, String> {
        let runtime = Runtime::new(Kind::OnDemand, &Options::for_pages(0))?;
        let text = format!(
            r#"(module (func (export "touch") (param i32) (result i32) (i32.const {FILL})))"#
        );
        Ok(Self {
            engine: runtime.engine.clone(),
            instance: runtime.compile(&text)?,
            // Every page is there before anything is timed.
            buffer: vec![1; largest as usize],
        })
    }

    pub(super) fn cycle(&mut self, touched: u32) -> Result<(), String> {
        let mut store = Store::new(&self.engine, ());
        let answer = (|| {
            let instance = self.instance.instantiate(&mut store)?;
            let touch = instance.get_typed_func::<u32, u32>(&mut store, "touch")?;
            touch.call(&mut store, touched)
        })();
        let buffer = &mut self.buffer[..touched as usize];
        buffer.fill(FILL);
        black_box(&mut *buffer).fill(0);
        black_box(buffer);
        match answer {
            Ok(SOUND) => Ok(()),
            Ok(answer) => Err(format!("answered {answer:#x}")),
            Err(error) => Err(format!("{error:#}")),
        }
    }
}
