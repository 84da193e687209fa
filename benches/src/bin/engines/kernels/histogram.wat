;; Counts the bytes of one mebibyte by value, then adds up the counts.
(module
  (memory 256)
  (func (export "run") (result i64)
    (local $at i32) (local $place i32) (local $sum i64)
    (memory.fill (i32.const 0) (i32.const 0) (i32.const 1024))
    (loop $write
      (i32.store8 offset=65536 (local.get $at)
        (i32.shr_u (i32.mul (local.get $at) (i32.const 2654435761)) (i32.const 24)))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $write (i32.lt_u (local.get $at) (i32.const 1048576))))
    (local.set $at (i32.const 0))
    (loop $count
      (local.set $place (i32.shl (i32.load8_u offset=65536 (local.get $at)) (i32.const 2)))
      (i32.store (local.get $place) (i32.add (i32.load (local.get $place)) (i32.const 1)))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $count (i32.lt_u (local.get $at) (i32.const 1048576))))
    (local.set $at (i32.const 0))
    (loop $add
      (local.set $sum (i64.add (local.get $sum) (i64.load32_u (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 4)))
      (br_if $add (i32.lt_u (local.get $at) (i32.const 1024))))
    (local.get $sum)))
