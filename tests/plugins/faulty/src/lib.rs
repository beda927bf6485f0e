//! Components of every kind with a setting `fault` that names what goes wrong; with `none` they work.
//!
//! A fault named `panic-CALL` panics in that call. What can go wrong at a step goes wrong from step 3 on, so that a
//! checkpoint of an earlier step can be shown to stand.

mod fault;
mod groups;
mod optimizer;
mod sampler;
mod scheduler;
mod searcher;
mod space;

nshot_sdk::plugin!(
    group: "nshot-tests";
    search_space "faulty" => space::Faulty,
    sampler "faulty" => sampler::Faulty,
    state_groups "faulty" => groups::Faulty,
    lr_scheduler "faulty" => scheduler::Faulty,
    searcher "faulty" => searcher::Faulty,
    optimizer "faulty" => optimizer::Faulty,
);
