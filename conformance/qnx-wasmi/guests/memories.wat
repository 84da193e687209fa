;; Two memories of its own, and every way of going wrong that leaves the instance usable.
(module
  (memory $one (export "one") 1 12)
  (memory $two (export "two") 1 12)
  (table 3 funcref)
  (elem (i32.const 0) $seven $forever)
  (data (memory $one) (i32.const 16) "from a data segment")

  (func $seven (result i32) (i32.const 7))
  (func $forever (export "forever") (param i32) (result i32)
    (i32.add (call $forever (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))

  (func (export "grow") (param i32) (result i32) (memory.grow $one (local.get 0)))
  (func (export "grow_two") (param i32) (result i32) (memory.grow $two (local.get 0)))
  (func (export "size") (param i32) (result i32) (memory.size $one))
  (func (export "load") (param i32) (result i32) (i32.load $one (local.get 0)))
  (func (export "store") (param i32) (result i32)
    (i32.store $one (local.get 0) (i32.const -1)) (i32.const 0))
  (func (export "fill") (param i32) (result i32)
    (memory.fill $one (i32.const 0) (local.get 0) (i32.shl (memory.size $one) (i32.const 16)))
    (memory.fill $two (i32.const 0) (local.get 0) (i32.shl (memory.size $two) (i32.const 16)))
    (i32.const 0))
  ;; From one memory to the other, and back.
  (func (export "round_trip") (param i32) (result i32)
    (i32.store $one (i32.const 64) (local.get 0))
    (memory.copy $two $one (i32.const 128) (i32.const 64) (i32.const 4))
    (i32.load $two (i32.const 128)))
  ;; The sum of the bytes of both.
  (func (export "sum") (param i32) (result i32)
    (local $at i32) (local $sum i32)
    (loop $next
      (local.set $sum (i32.add (local.get $sum) (i32.load8_u $one (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $at) (i32.shl (memory.size $one) (i32.const 16)))))
    (local.set $at (i32.const 0))
    (loop $next
      (local.set $sum (i32.add (local.get $sum) (i32.load8_u $two (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $at) (i32.shl (memory.size $two) (i32.const 16)))))
    (local.get $sum))

  (func (export "divide") (param i32) (result i32) (i32.div_s (i32.const 1) (local.get 0)))
  (func (export "through") (param i32) (result i32) (call_indirect (result i32) (local.get 0)))
  (func (export "unreachable") (param i32) (result i32) unreachable)
  ;; Floating point, from the library that takes the place of a C library's.
  (func (export "hypotenuse") (param i32) (result i32)
    (i32.trunc_f64_s (f64.nearest (f64.sqrt (f64.add
      (f64.mul (f64.convert_i32_s (local.get 0)) (f64.convert_i32_s (local.get 0)))
      (f64.const 16)))))))
