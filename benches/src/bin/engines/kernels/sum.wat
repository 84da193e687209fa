;; Writes the numbers from 0 upwards into 8 MiB and adds them up, eight bytes at a time.
(module
  (memory 256)
  (func (export "run") (result i64)
    (local $at i32) (local $sum i64)
    (loop $write
      (i64.store (local.get $at) (i64.extend_i32_u (i32.shr_u (local.get $at) (i32.const 3))))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $write (i32.lt_u (local.get $at) (i32.const 8388608))))
    (local.set $at (i32.const 0))
    (loop $read
      (local.set $sum (i64.add (local.get $sum) (i64.load (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $read (i32.lt_u (local.get $at) (i32.const 8388608))))
    (local.get $sum)))
