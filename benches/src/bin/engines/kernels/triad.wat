;; a[i] = b[i] + 3 c[i], over doubles, four times; b and c are written first.
(module
  (memory 256)
  (func (export "run") (result i64)
    (local $at i32) (local $turn i32) (local $sum f64)
    (loop $write
      (f64.store offset=1048576 (local.get $at) (f64.convert_i32_u (local.get $at)))
      (f64.store offset=2097152 (local.get $at) (f64.const 0.5))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $write (i32.lt_u (local.get $at) (i32.const 1048576))))
    (loop $again
      (local.set $at (i32.const 0))
      (loop $next
        (f64.store (local.get $at)
          (f64.add
            (f64.load offset=1048576 (local.get $at))
            (f64.mul (f64.const 3) (f64.load offset=2097152 (local.get $at)))))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br_if $next (i32.lt_u (local.get $at) (i32.const 1048576))))
      (local.set $turn (i32.add (local.get $turn) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $turn) (i32.const 4))))
    (local.set $at (i32.const 0))
    (loop $add
      (local.set $sum (f64.add (local.get $sum) (f64.load (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 64)))
      (br_if $add (i32.lt_u (local.get $at) (i32.const 1048576))))
    (i64.trunc_f64_s (local.get $sum))))
