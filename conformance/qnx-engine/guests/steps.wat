;; One instance that goes wrong and goes on: every export that traps leaves the instance usable.
(module
  (import "host" "note" (func $note (param i32) (result i32)))
  (memory (export "memory") 1 64)
  (table $functions 4 funcref)
  (elem (i32.const 0) $seven $forever)
  (data (i32.const 16) "from a data segment")
  (global $calls (mut i32) (i32.const 0))

  (func $seven (result i32) (i32.const 7))
  (func $forever (export "forever") (param i32) (result i32)
    (i32.add (call $forever (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))

  ;; The product of two numbers, and how often this was called, kept in memory.
  (func (export "multiply") (param i32 i32) (result i32)
    (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
    (i32.mul (local.get 0) (local.get 1)))
  (func (export "calls") (result i32) (i32.load (i32.const 0)))

  ;; Floating point, so that the calling convention for it is used both ways.
  (func (export "hypotenuse") (param f64 f64) (result f64)
    (f64.sqrt (f64.add (f64.mul (local.get 0) (local.get 0)) (f64.mul (local.get 1) (local.get 1)))))
  (func (export "round") (param f32) (result f32)
    (f32.nearest (local.get 0)))

  ;; Sums all bytes.
  (func (export "sum") (result i64)
    (local $at i32) (local $end i32) (local $sum i64)
    (local.set $end (i32.mul (memory.size) (i32.const 65536)))
    (loop $next
      (local.set $sum (i64.add (local.get $sum) (i64.load8_u (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $at) (local.get $end))))
    (local.get $sum))
  (func (export "fill") (param $value i32)
    (memory.fill (i32.const 0) (local.get $value) (i32.mul (memory.size) (i32.const 65536))))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "size") (result i32) (memory.size))
  (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "store") (param i32 i32) (i32.store (local.get 0) (local.get 1)))

  (func (export "divide") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
  (func (export "truncate") (param f64) (result i32) (i32.trunc_f64_s (local.get 0)))
  (func (export "unreachable") unreachable)
  (func (export "through") (param i32) (result i32) (call_indirect (result i32) (local.get 0)))

  ;; Guest, host, guest: the host may fail, or call back.
  (func (export "note") (param i32) (result i32) (call $note (local.get 0))))
