;; 200,000 reads and writes all over 8 MiB, each place following from the one before and from what was
;; read there. It begins with zeros, so that every run is the same.
(module
  (memory 256)
  (func (export "run") (result i64)
    (local $left i32) (local $place i32) (local $state i32) (local $sum i64)
    (memory.fill (i32.const 0) (i32.const 0) (i32.const 8388608))
    (local.set $left (i32.const 200000))
    (local.set $state (i32.const 1))
    (loop $next
      (local.set $state (i32.add
        (i32.mul (local.get $state) (i32.const 1664525)) (i32.const 1013904223)))
      (local.set $place (i32.and (i32.add
        (local.get $state)
        (i32.shr_u (local.get $state) (i32.const 9))) (i32.const 8388600)))
      (local.set $sum (i64.add (local.get $sum) (i64.load (local.get $place))))
      (i64.store (local.get $place) (i64.extend_i32_u (local.get $left)))
      (local.set $state (i32.xor (local.get $state) (i32.wrap_i64 (local.get $sum))))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $next (local.get $left)))
    (local.get $sum)))
