;; memories: one module with two linear memories, for `--invoke` and for tests of several
;; memories in one instance. No imports.
;;
;;   first    1 page, at most 64         second   2 pages, no maximum of its own
;;   +-----+                             +-----+-----+
;;   |     | . . . room                  |     |     | . . . room
;;   +-----+                             +-----+-----+
;;
;; Offset 0 of one is another byte than offset 0 of the other; each grows by itself.
(module
  (memory $first (export "first") 1 64)
  (memory $second (export "second") 2)

  ;; add(a, b): the sum, modulo 2^32; touches no memory.
  (func (export "add") (param $a i32) (param $b i32) (result i32)
    (i32.add (local.get $a) (local.get $b)))

  ;; fill(value): writes the low byte of value into every byte of the first memory and
  ;; value + 1 into every byte of the second (which must have fewer than 65536 pages: the length
  ;; of a fill is a 32-bit number).
  (func $fill (export "fill") (param $value i32)
    (memory.fill $first
      (i32.const 0)
      (local.get $value)
      (i32.shl (memory.size $first) (i32.const 16)))
    (memory.fill $second
      (i32.const 0)
      (i32.add (local.get $value) (i32.const 1))
      (i32.shl (memory.size $second) (i32.const 16))))

  ;; sum(): the sum of all bytes of both memories.
  (func $sum (export "sum") (result i64)
    (local $offset i64)
    (local $end i64)
    (local $total i64)
    (local.set $end (i64.shl (i64.extend_i32_u (memory.size $first)) (i64.const 16)))
    (block $first_done
      (loop $next
        (br_if $first_done (i64.eq (local.get $offset) (local.get $end)))
        (local.set $total
          (i64.add
            (local.get $total)
            (i64.load8_u $first (i32.wrap_i64 (local.get $offset)))))
        (local.set $offset (i64.add (local.get $offset) (i64.const 1)))
        (br $next)))
    (local.set $offset (i64.const 0))
    (local.set $end (i64.shl (i64.extend_i32_u (memory.size $second)) (i64.const 16)))
    (block $second_done
      (loop $next
        (br_if $second_done (i64.eq (local.get $offset) (local.get $end)))
        (local.set $total
          (i64.add
            (local.get $total)
            (i64.load8_u $second (i32.wrap_i64 (local.get $offset)))))
        (local.set $offset (i64.add (local.get $offset) (i64.const 1)))
        (br $next)))
    (local.get $total))

  ;; grow0(n), grow1(n): grows the first or the second memory by n pages; returns the pages it
  ;; had before, or -1 if refused.
  (func $grow0 (export "grow0") (param $pages i32) (result i32)
    (memory.grow $first (local.get $pages)))
  (func $grow1 (export "grow1") (param $pages i32) (result i32)
    (memory.grow $second (local.get $pages)))

  ;; fill_grow_sum(value, n): fills both memories, grows each by n pages, sums all bytes. Since
  ;; grown pages are zero and old ones keep what they held, the result does not depend on n:
  ;; value * 65536 + (value + 1) * 131072, for values from 0 to 254.
  (func (export "fill_grow_sum") (param $value i32) (param $pages i32) (result i64)
    (call $fill (local.get $value))
    (if (i32.eq (call $grow0 (local.get $pages)) (i32.const -1)) (then unreachable))
    (if (i32.eq (call $grow1 (local.get $pages)) (i32.const -1)) (then unreachable))
    (call $sum)))
