//! The steps natively, by criterion.

use criterion::{Criterion, criterion_group, criterion_main};
use rsa_fma::Engine;
use speed::steps;

fn native(criterion: &mut Criterion) {
    for mut step in steps(Engine::best()) {
        let name = step.name.clone();
        criterion.bench_function(&name, |bencher| bencher.iter(|| step.run()));
    }
}

criterion_group!(all, native);
criterion_main!(all);
