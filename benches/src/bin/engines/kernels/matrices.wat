;; c = a b, with 96 x 96 doubles; a[i] = i mod 7, b[i] = i mod 5.
(module
  (memory 256)
  (func (export "run") (result i64)
    (local $i i32) (local $j i32) (local $k i32) (local $sum f64) (local $all f64)
    (loop $write
      (f64.store (i32.shl (local.get $i) (i32.const 3))
        (f64.convert_i32_u (i32.rem_u (local.get $i) (i32.const 7))))
      (f64.store offset=1048576 (i32.shl (local.get $i) (i32.const 3))
        (f64.convert_i32_u (i32.rem_u (local.get $i) (i32.const 5))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $write (i32.lt_u (local.get $i) (i32.const 9216))))
    (local.set $i (i32.const 0))
    (loop $row
      (local.set $j (i32.const 0))
      (loop $column
        (local.set $k (i32.const 0))
        (local.set $sum (f64.const 0))
        (loop $inner
          (local.set $sum (f64.add (local.get $sum) (f64.mul
            (f64.load (i32.shl
              (i32.add (i32.mul (local.get $i) (i32.const 96)) (local.get $k)) (i32.const 3)))
            (f64.load offset=1048576 (i32.shl
              (i32.add (i32.mul (local.get $k) (i32.const 96)) (local.get $j)) (i32.const 3))))))
          (local.set $k (i32.add (local.get $k) (i32.const 1)))
          (br_if $inner (i32.lt_u (local.get $k) (i32.const 96))))
        (f64.store offset=2097152 (i32.shl
          (i32.add (i32.mul (local.get $i) (i32.const 96)) (local.get $j)) (i32.const 3))
          (local.get $sum))
        (local.set $all (f64.add (local.get $all) (local.get $sum)))
        (local.set $j (i32.add (local.get $j) (i32.const 1)))
        (br_if $column (i32.lt_u (local.get $j) (i32.const 96))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $row (i32.lt_u (local.get $i) (i32.const 96))))
    (i64.trunc_f64_s (local.get $all))))
