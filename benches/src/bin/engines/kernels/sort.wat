;; Shell's sort of 16,384 numbers in no order, with gaps of half, a quarter and so on. Answers how many
;; neighbours are in order afterwards.
(module
  (memory 256)
  (func (export "run") (result i64)
    (local $gap i32) (local $i i32) (local $j i32) (local $value i32) (local $sound i64)
    (loop $write
      (i32.store (local.get $i) (i32.shr_u
        (i32.mul (i32.add (local.get $i) (i32.const 4)) (i32.const 2654435761)) (i32.const 1)))
      (local.set $i (i32.add (local.get $i) (i32.const 4)))
      (br_if $write (i32.lt_u (local.get $i) (i32.const 65536))))
    (local.set $gap (i32.const 32768))
    (loop $gaps
      (local.set $i (local.get $gap))
      (loop $each
        (local.set $value (i32.load (local.get $i)))
        (local.set $j (local.get $i))
        (block $placed
          (loop $shift
            (br_if $placed (i32.lt_u (local.get $j) (local.get $gap)))
            (br_if $placed (i32.le_u
              (i32.load (i32.sub (local.get $j) (local.get $gap))) (local.get $value)))
            (i32.store (local.get $j) (i32.load (i32.sub (local.get $j) (local.get $gap))))
            (local.set $j (i32.sub (local.get $j) (local.get $gap)))
            (br $shift)))
        (i32.store (local.get $j) (local.get $value))
        (local.set $i (i32.add (local.get $i) (i32.const 4)))
        (br_if $each (i32.lt_u (local.get $i) (i32.const 65536))))
      (local.set $gap (i32.and (i32.shr_u (local.get $gap) (i32.const 1)) (i32.const 0xfffffffc)))
      (br_if $gaps (local.get $gap)))
    (local.set $i (i32.const 4))
    (loop $check
      (local.set $sound (i64.add (local.get $sound) (i64.extend_i32_u (i32.le_u
        (i32.load (i32.sub (local.get $i) (i32.const 4))) (i32.load (local.get $i))))))
      (local.set $i (i32.add (local.get $i) (i32.const 4)))
      (br_if $check (i32.lt_u (local.get $i) (i32.const 65536))))
    (local.get $sound)))
