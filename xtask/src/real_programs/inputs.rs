//! What the real programs are given to work on: a question for a solver, a picture for a renderer.
//!
//! Both are made of integers only, so they are the same bytes on every machine.

/// Asks in SMT-LIB for two factors of `product`, both of `bits` bits and larger than one.
pub(super) fn factoring_query(product: u64, bits: u32) -> String {
    let double = bits * 2;
    format!(
        "(set-logic QF_BV)\n\
         (set-option :produce-models true)\n\
         (declare-fun a () (_ BitVec {bits}))\n\
         (declare-fun b () (_ BitVec {bits}))\n\
         (assert (bvult (_ bv1 {bits}) a))\n\
         (assert (bvule a b))\n\
         (assert (= (_ bv{product} {double})\n\
         \x20 (bvmul ((_ zero_extend {bits}) a) ((_ zero_extend {bits}) b))))\n\
         (check-sat)\n\
         (get-model)\n\
         (exit)\n"
    )
}

/// An SVG of 800 by 800 with `elements` circles, curves and turned rectangles in it, in groups
/// of 500, every second group blurred (which makes a renderer allocate whole images).
pub(super) fn picture(elements: u32) -> String {
    let mut svg = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"800\" height=\"800\">\n\
         <defs><linearGradient id=\"sky\" x2=\"0\" y2=\"1\"><stop offset=\"0\" \
         stop-color=\"#12304a\"/><stop offset=\"1\" stop-color=\"#d8a870\"/></linearGradient>\
         <filter id=\"haze\"><feGaussianBlur stdDeviation=\"2\"/></filter></defs>\n\
         <rect width=\"800\" height=\"800\" fill=\"url(#sky)\"/>\n",
    );
    let mut numbers = Numbers { state: 1 };
    for element in 0..elements {
        if element % 500 == 0 {
            let filter = if element % 1_000 == 0 {
                ""
            } else {
                " filter=\"url(#haze)\""
            };
            svg += &format!("<g{filter}>\n");
        }
        let (x, y) = (numbers.below(800), numbers.below(800));
        let (size, colour) = (3 + numbers.below(14), numbers.below(0x100_0000));
        svg += &match element % 3 {
            0 => format!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{size}\" fill=\"#{colour:06x}\" "),
            1 => format!(
                "<path d=\"M{x} {y}q{size} -{size} {} 0t{} 0\" fill=\"none\" \
                 stroke=\"#{colour:06x}\" stroke-width=\"2\" ",
                size * 2,
                size * 2
            ),
            _ => format!(
                "<rect x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{size}\" \
                 transform=\"rotate({} {x} {y})\" stroke=\"#102020\" fill=\"#{colour:06x}\" ",
                size * 2,
                numbers.below(360)
            ),
        };
        svg += "fill-opacity=\"0.7\" stroke-opacity=\"0.8\"/>\n";
        if element % 500 == 499 || element + 1 == elements {
            svg += "</g>\n";
        }
    }
    svg + "</svg>\n"
}

/// A fixed sequence of numbers that look random.
struct Numbers {
    state: u64,
}

impl Numbers {
    /// The next number, from 0 to `limit` - 1.
    fn below(&mut self, limit: u32) -> u64 {
        self.state = self
            .state
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(0x5eed);
        ((self.state >> 32) * u64::from(limit)) >> 32
    }
}

#[cfg(test)]
mod tests {
    use super::{factoring_query, picture};

    #[test]
    fn the_query_names_the_product_in_twice_the_bits() {
        let query = factoring_query(35, 4);
        assert!(query.contains("(_ bv35 8)"), "{query}");
        assert_eq!(query.matches('(').count(), query.matches(')').count());
    }

    #[test]
    fn the_picture_has_every_element_and_closes_every_group() {
        for elements in [1, 500, 501, 4_000] {
            let svg = picture(elements);
            assert_eq!(svg.matches("stroke-opacity=").count(), elements as usize);
            assert_eq!(svg.matches("<g").count(), svg.matches("</g>").count());
            assert!(svg.ends_with("</svg>\n"));
        }
        assert_eq!(picture(100), picture(100));
    }
}
