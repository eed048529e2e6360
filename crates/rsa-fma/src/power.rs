//! The two operations of RSA, over any engine's arithmetic.

use zeroize::{Zeroize, Zeroizing};

use crate::digits;
use crate::montgomery::{Domain, Montgomery, Pair};

/// Bits of the exponent that are taken at once.
const WINDOW: u32 = 5;

/// Raising to the private exponent.
pub(crate) trait PrivatePower: Send + Sync {
    /// message^d modulo n, in as many bytes as n has; for a message below n of that length.
    fn power(&self, message: &[u8]) -> Zeroizing<Vec<u8>>;
}

/// Raising to the public exponent 65537.
pub(crate) trait PublicPower: Send + Sync {
    /// signature^65537 modulo n, in as many bytes as n has; for a signature below n of that length.
    fn power(&self, signature: &[u8]) -> Zeroizing<Vec<u8>>;
}

/// The parts of a private key, big-endian: primes of one length with their top bits set, what else
/// there is no longer than these.
pub(crate) struct Parts {
    pub(crate) p: Zeroizing<Box<[u8]>>,
    pub(crate) q: Zeroizing<Box<[u8]>>,
    /// d modulo p − 1.
    pub(crate) dp: Zeroizing<Box<[u8]>>,
    /// d modulo q − 1.
    pub(crate) dq: Zeroizing<Box<[u8]>>,
    /// 1/q modulo p.
    pub(crate) q_inverse: Zeroizing<Box<[u8]>>,
}

/// A private key by the Chinese remainder theorem (J.-J. Quisquater, C. Couvreur, *Fast decipherment
/// algorithm for RSA public-key cryptosystem*, Electronics Letters 18, 1982).
pub(crate) struct Crt<A: Pair> {
    domain: Domain<A, 2>,
    /// dp and dq in windows, the lowest first.
    exponents: [Zeroizing<Vec<u64>>; 2],
    /// 1/q in the lane of p.
    q_inverse: A::Element,
    /// The first power of two that is longer than the primes, times R².
    upper_half: A::Element,
    q: Zeroizing<Box<[u8]>>,
}

impl<A: Pair> Crt<A> {
    pub(crate) fn new(parts: Parts) -> Self {
        let domain = Domain::<A, 2>::new([&parts.p, &parts.q]);
        let mut upper_half = vec![0; parts.p.len() + 1];
        upper_half[0] = 1;
        let mut upper_half = domain.import([&upper_half; 2]);
        domain.enter(&mut upper_half);
        let bits = 8 * parts.p.len() as u32;
        Crt {
            exponents: [&parts.dp, &parts.dq].map(|exponent| windows(exponent, bits)),
            q_inverse: domain.arithmetic.import([&parts.q_inverse, &[]]),
            upper_half,
            domain,
            q: parts.q,
        }
    }
}

impl<A> PrivatePower for Crt<A>
where
    A: Pair + Send + Sync,
    A::Element: Send + Sync,
{
    fn power(&self, message: &[u8]) -> Zeroizing<Vec<u8>> {
        let arithmetic = &self.domain.arithmetic;
        let (high, low) = message.split_at(message.len() - self.q.len());
        let mut high = Zeroizing::new(arithmetic.import([high; 2]));
        arithmetic.multiply(&mut high, &self.upper_half);
        let low = Zeroizing::new(self.domain.import([low; 2]));
        let base = Zeroizing::new(arithmetic.add(&high, &low));

        let exponents = [&**self.exponents[0], &**self.exponents[1]];
        let [of_p, of_q] = self.domain.export(&power(&self.domain, &base, exponents));

        // H. L. Garner, *The residue number system*, 1959: s = s_q + q·((s_p − s_q)/q modulo p).
        let of_p = Zeroizing::new(self.domain.import([&of_p, &[]]));
        let less = Zeroizing::new(self.domain.import([&of_q, &[]]));
        let mut quotient = Zeroizing::new(arithmetic.subtract(&of_p, &less));
        arithmetic.multiply(&mut quotient, &self.q_inverse);
        let [quotient, _] = arithmetic.export(&quotient);
        digits::add_product(&of_q, &self.q, &quotient, message.len())
    }
}

impl<A: Pair> Drop for Crt<A> {
    fn drop(&mut self) {
        self.q_inverse.zeroize();
        self.upper_half.zeroize();
    }
}

/// An exponent of at most `bits` bits, in windows, the lowest first.
pub(crate) fn windows(exponent: &[u8], bits: u32) -> Zeroizing<Vec<u64>> {
    let mut windows = Zeroizing::new(vec![0; bits.div_ceil(WINDOW) as usize]);
    digits::from_bytes(exponent, WINDOW, &mut windows);
    windows
}

/// base^exponent, both times R, by windows of fixed length: squarings and multiplications follow
/// from the number of windows alone, and every entry of the table is read for each.
pub(crate) fn power<A: Pair>(
    domain: &Domain<A, 2>,
    base: &A::Element,
    exponents: [&[u64]; 2],
) -> Zeroizing<A::Element> {
    let select = |table: &[_], index, selected: &mut _| {
        domain.arithmetic.select(table, index, selected);
    };
    power_by(domain, base, exponents, select)
}

/// The same, by a way to select from the table.
pub(crate) fn power_by<A: Pair>(
    domain: &Domain<A, 2>,
    base: &A::Element,
    exponents: [&[u64]; 2],
    select: impl Fn(&[A::Element], [u64; 2], &mut A::Element),
) -> Zeroizing<A::Element> {
    let arithmetic = &domain.arithmetic;
    let one = domain.import([&[1], &[1]]);
    let mut table = Zeroizing::new(Vec::with_capacity(1 << WINDOW));
    table.push(one.clone());
    for i in 1..1 << WINDOW {
        let mut next = table[i - 1].clone();
        arithmetic.multiply(&mut next, base);
        table.push(next);
    }
    let mut factor = Zeroizing::new(one.clone());
    let mut power = Zeroizing::new(one);
    for (&of_p, &of_q) in exponents[0].iter().zip(exponents[1]).rev() {
        arithmetic.square(&mut power, WINDOW);
        select(&table, [of_p, of_q], &mut factor);
        arithmetic.multiply(&mut power, &factor);
    }
    power
}

/// A public key with the exponent 65537.
pub(crate) struct Fermat<A: Montgomery<1>>(Domain<A, 1>);

impl<A: Montgomery<1>> Fermat<A> {
    pub(crate) fn new(n: &[u8]) -> Self {
        Fermat(Domain::new([n]))
    }
}

impl<A> PublicPower for Fermat<A>
where
    A: Montgomery<1> + Send + Sync,
    A::Element: Send + Sync,
{
    fn power(&self, signature: &[u8]) -> Zeroizing<Vec<u8>> {
        let Fermat(domain) = self;
        let arithmetic = &domain.arithmetic;
        let base = arithmetic.import([signature]);
        let mut power = base.clone();
        domain.enter(&mut power);
        arithmetic.square(&mut power, 16);
        // The base without R takes R away from the product.
        arithmetic.multiply(&mut power, &base);
        let [power] = arithmetic.export(&power);
        power
    }
}
