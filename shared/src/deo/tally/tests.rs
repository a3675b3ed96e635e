use proptest::prelude::*;

use super::*;
use crate::deo::{Issues, Score};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// A page that lacks nothing, scanned at time 0.
const PAGE: PageFacts = PageFacts {
    status_code: 200,
    has_title: true,
    has_meta_description: true,
    has_h1: true,
    word_count: Some(1_200),
    internal_links: None,
    issues: Issues { http_error: false, fetch_error: false, thin_content: false, malformed: false },
    navigational: true,
    scanned_at_ms: 0,
};

/// A product that lacks nothing, synced at time 0.
const PRODUCT: ProductFacts =
    ProductFacts { has_title: true, has_description: true, words: 800, last_synced_at_ms: 0 };

fn tally(pages: &[PageFacts], products: &[ProductFacts]) -> Tally {
    let mut tally = Tally::default();
    pages.iter().for_each(|page| tally.add_page(page));
    products.iter().for_each(|product| tally.add_product(product));
    tally
}

/// The signals at time 0.
fn signals(pages: &[PageFacts], products: &[ProductFacts]) -> Signals {
    tally(pages, products).signals(0)
}

#[test]
fn an_empty_project_scores_too() {
    let Score { v1, v2, .. } = Score::of(signals(&[], &[]));
    assert_eq!(
        (v1.overall, v1.content, v1.entities, v1.technical, v1.visibility),
        (9, 0, 17, 17, 0)
    );
    assert_eq!(v2.overall, 4);
}

#[test]
fn the_best_project_reaches_95() {
    let Score { v1, .. } = Score::of(signals(&[PAGE; 3], &[PRODUCT]));
    assert_eq!(v1.overall, 95);
}

#[test]
fn a_page_is_healthy_by_status_and_issues() {
    for (status_code, healthy) in [(0, 0.0), (199, 0.0), (200, 1.0), (399, 1.0), (400, 0.0)] {
        let found = signals(&[PageFacts { status_code, ..PAGE }], &[]);
        let found = [found.crawl_health, found.indexability, found.answer_surface_presence];
        assert_eq!(found, [healthy; 3], "{status_code}");
    }
    for issues in
        [Issues { http_error: true, ..PAGE.issues }, Issues { fetch_error: true, ..PAGE.issues }]
    {
        assert_eq!(signals(&[PageFacts { issues, ..PAGE }], &[]).crawl_health, 0.0);
    }
}

/// Signals of one page: not thin, not very short, accurate, long enough to answer, covered.
#[test]
fn a_page_s_words_have_thresholds() {
    for (word_count, expected) in [
        (None, [1.0, 1.0, 0.9, 0.0, 0.0]),
        (Some(-1), [0.0, 0.0, 0.3, 0.0, 0.0]),
        (Some(0), [0.0, 0.0, 0.3, 0.0, 0.0]),
        (Some(99), [0.0, 0.0, 0.3, 0.0, 1.0]),
        (Some(100), [0.0, 1.0, 0.3, 0.0, 1.0]),
        (Some(149), [0.0, 1.0, 0.3, 0.0, 1.0]),
        (Some(150), [1.0, 1.0, 0.9, 0.0, 1.0]),
        (Some(399), [1.0, 1.0, 0.9, 0.0, 1.0]),
        (Some(400), [1.0, 1.0, 0.9, 1.0, 1.0]),
    ] {
        let found = signals(&[PageFacts { word_count, ..PAGE }], &[]);
        let found = [
            found.thin_content_quality,
            found.html_structural_quality,
            found.entity_structure_accuracy,
            found.answer_surface_presence,
            found.content_coverage,
        ];
        assert_eq!(found, expected, "{word_count:?}");
    }
}

#[test]
fn a_flag_makes_a_long_page_thin() {
    let issues = Issues { thin_content: true, ..PAGE.issues };
    let found = signals(&[PageFacts { issues, ..PAGE }], &[]);
    assert_eq!(found.thin_content_quality, 0.0);
    assert_eq!(found.indexability, 0.0);
    assert_eq!(found.answer_surface_presence, 0.0);
    assert_eq!(found.entity_structure_accuracy, 0.3);
    assert_eq!(found.html_structural_quality, 1.0);
    assert_eq!(found.crawl_health, 1.0);
}

/// Signals of one page: covered, indexable, well built, hinted, on the results page, answering.
#[test]
fn each_missing_text_shows_in_its_own_signals() {
    for (page, expected) in [
        (PageFacts { has_title: false, ..PAGE }, [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]),
        (PageFacts { has_meta_description: false, ..PAGE }, [1.0, 0.0, 0.0, 1.0, 0.0, 1.0]),
        (PageFacts { has_h1: false, ..PAGE }, [1.0, 1.0, 0.0, 0.0, 0.0, 0.0]),
    ] {
        let found = signals(&[page], &[]);
        let found = [
            found.content_coverage,
            found.indexability,
            found.html_structural_quality,
            found.entity_hint_coverage,
            found.serp_presence,
            found.answer_surface_presence,
        ];
        assert_eq!(found, expected, "{page:?}");
    }
}

/// A product of 0 words lacks its description; one of 80 has enough.
#[test]
fn a_short_product_is_inaccurate() {
    for (words, accuracy) in [(1, 0.3), (79, 0.3), (80, 0.9)] {
        let found = signals(&[], &[ProductFacts { words, ..PRODUCT }]);
        assert_eq!(found.entity_structure_accuracy, accuracy, "{words}");
    }
    for product in [
        ProductFacts { has_title: false, ..PRODUCT },
        ProductFacts { has_description: false, words: 0, ..PRODUCT },
    ] {
        let found = signals(&[], &[product]);
        assert_eq!([found.content_coverage, found.entity_hint_coverage], [0.0; 2]);
        assert_eq!(found.entity_structure_accuracy, 0.3);
    }
}

#[test]
fn three_navigational_pages_are_enough() {
    let other = PageFacts { navigational: false, ..PAGE };
    for (pages, strength) in [
        (vec![other], 0.0),
        (vec![PAGE, other], 1.0 / 3.0),
        (vec![PAGE; 3], 1.0),
        (vec![PAGE; 4], 1.0),
    ] {
        assert_eq!(signals(&pages, &[]).brand_navigational_strength, strength);
    }
}

/// A mean leaves out pages without words, yet weighs as much as all pages in a blend.
#[test]
fn averages_skip_pages_without_words_but_weigh_all() {
    let wordless = [None, Some(0), Some(-7)].map(|word_count| PageFacts { word_count, ..PAGE });
    let pages = [&[PageFacts { word_count: Some(400), ..PAGE }], &wordless[..]].concat();
    assert_eq!(signals(&pages, &[]).content_depth, 0.5);
    assert_eq!(signals(&pages, &[]).entity_linkage_density, 400.0 / 1_200.0);
    let product = ProductFacts { words: 0, has_description: false, ..PRODUCT };
    assert_eq!(signals(&pages, &[product]).content_depth, 0.5 * 4.0 / 5.0);
}

/// The sum is of pages that have a count, the division by all pages.
#[test]
fn internal_links_make_the_density_where_any_page_has_a_count() {
    let pages = |links: &[Option<f64>]| -> Vec<_> {
        links.iter().map(|&internal_links| PageFacts { internal_links, ..PAGE }).collect()
    };
    let density = |links: &[Option<f64>]| signals(&pages(links), &[PRODUCT]).entity_linkage_density;
    let by_words = (1_200.0 + 800.0) / 2.0 / 1_200.0;
    for (links, expected) in [
        (vec![Some(0.0)], 0.0),
        (vec![Some(7.0)], 7.0 / 20.0),
        (vec![Some(7.0), None], 7.0 / 2.0 / 20.0),
        (vec![Some(7.0), Some(-100.0), Some(f64::NAN)], 7.0 / 3.0 / 20.0),
        (vec![Some(20.0), Some(21.0)], 1.0),
        (vec![Some(f64::INFINITY), Some(1.0)], 1.0),
        (vec![None], by_words),
        (vec![Some(-1.0)], by_words),
        (vec![Some(f64::NAN)], by_words),
        (vec![Some(f64::NEG_INFINITY)], by_words),
    ] {
        assert_eq!(density(&links), expected, "{links:?}");
    }
    // Divided once, by 60, it would be 0.08333333333333333.
    assert_eq!(density(&[Some(5.0), None, None]), 0.083_333_333_333_333_34);
    // Added the other way round, the sum would be 0.6.
    assert_eq!(density(&[0.1, 0.2, 0.3].map(Some)), 0.600_000_000_000_000_1 / 3.0 / 20.0);
    // Only the links of pages count here, and only here.
    let rest = Signals { entity_linkage_density: 0.35, ..signals(&[PAGE], &[PRODUCT]) };
    assert_eq!(signals(&pages(&[Some(7.0)]), &[PRODUCT]), rest);
}

#[test]
fn sums_of_words_pass_32_bits() {
    let pages = [PageFacts { word_count: Some(i64::from(i32::MAX)), ..PAGE }; 3];
    let found = signals(&pages, &[]);
    assert_eq!([found.content_depth, found.entity_linkage, found.entity_linkage_density], [1.0; 3]);
}

/// In doubles 1 - 9/10 is not 1/10.
#[test]
fn a_complement_is_a_difference() {
    let mut pages = [PageFacts { word_count: Some(1), ..PAGE }; 10];
    pages[0] = PAGE;
    let found = signals(&pages, &[]);
    assert_eq!(found.thin_content_quality, 0.099_999_999_999_999_98);
    assert_eq!(found.html_structural_quality, 0.099_999_999_999_999_98);
}

/// 15/22 * 22 is not 15 in doubles, so the share is not 15/23.
#[test]
fn a_blend_multiplies_each_ratio_by_its_count() {
    let mut pages = [PAGE; 22];
    pages[15..].fill(PageFacts { has_title: false, ..PAGE });
    let product = ProductFacts { has_title: false, ..PRODUCT };
    assert_eq!(signals(&pages, &[product]).content_coverage, 0.652_173_913_043_478_2);
}

#[test]
fn freshness_is_summed_in_the_order_of_rows() {
    let mut pages = [27, 71, 16].map(|days| PageFacts { scanned_at_ms: -days * DAY_MS, ..PAGE });
    assert_eq!(signals(&pages, &[]).content_freshness, 0.577_777_777_777_777_8);
    pages.reverse();
    assert_eq!(signals(&pages, &[]).content_freshness, 0.577_777_777_777_777_7);
}

/// A page scanned 90 days in the future counts 2, and makes up for one that is stale.
#[test]
fn only_the_blended_freshness_is_clamped() {
    let pages = [90, -90].map(|days| PageFacts { scanned_at_ms: days * DAY_MS, ..PAGE });
    assert_eq!(signals(&pages, &[]).content_freshness, 1.0);
    assert_eq!(signals(&pages[..1], &[]).content_freshness, 1.0);
    let stale = ProductFacts { last_synced_at_ms: -91 * DAY_MS, ..PRODUCT };
    assert_eq!(signals(&pages[..1], &[stale]).content_freshness, 1.0);
    // Beyond 90 days a page fades no further.
    let old = PageFacts { scanned_at_ms: -3_650 * DAY_MS, ..PAGE };
    assert_eq!(signals(&[pages[0], old], &[]).content_freshness, 1.0);
}

#[test]
fn a_product_is_fresh_for_90_days_to_the_millisecond() {
    for (age_ms, fresh) in [(-1, 1.0), (90 * DAY_MS, 1.0), (90 * DAY_MS + 1, 0.0)] {
        let product = ProductFacts { last_synced_at_ms: -age_ms, ..PRODUCT };
        assert_eq!(signals(&[], &[product]).content_freshness, fresh, "{age_ms}");
    }
}

/// As a database's `-infinity` and `infinity` may come.
#[test]
fn the_ends_of_time_are_stale_and_fresh() {
    for (at, fresh) in [(i64::MIN, 0.0), (i64::MAX, 1.0)] {
        for now_ms in [-1, 0, 1] {
            let pages = [PageFacts { scanned_at_ms: at, ..PAGE }];
            let products = [ProductFacts { last_synced_at_ms: at, ..PRODUCT }];
            assert_eq!(tally(&pages, &products).signals(now_ms).content_freshness, fresh);
        }
    }
}

#[test]
fn malformed_rows_are_counted_and_score_as_free_of_issues() {
    let issues = Issues { malformed: true, ..PAGE.issues };
    let pages = [PageFacts { issues, ..PAGE }, PAGE];
    assert_eq!(tally(&pages, &[]).malformed_rows(), 1);
    assert_eq!(signals(&pages, &[]), signals(&[PAGE; 2], &[]));
}

prop_compose! {
    fn any_page()(
        status_code in prop_oneof![Just(200), any::<i32>()],
        [has_title, has_meta_description, has_h1, navigational]: [bool; 4],
        [http_error, fetch_error, thin_content, malformed]: [bool; 4],
        word_count in prop_oneof![
            Just(None), (0..1_500_i64).prop_map(Some), any::<i32>().prop_map(|n| Some(n.into())),
        ],
        internal_links in prop_oneof![
            3 => Just(None),
            3 => (-3..50_i32).prop_map(|links| Some(links.into())),
            1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, -0.0])
                .prop_map(Some),
        ],
        scanned_at_ms in any_time(),
    ) -> PageFacts {
        let issues = Issues { http_error, fetch_error, thin_content, malformed };
        PageFacts {
            status_code, has_title, has_meta_description, has_h1, word_count, internal_links, issues,
            navigational, scanned_at_ms,
        }
    }
}

prop_compose! {
    fn any_product()(
        [has_title, has_description]: [bool; 2],
        words in prop_oneof![0..1_000_u64, any::<u32>().prop_map(u64::from)],
        last_synced_at_ms in any_time(),
    ) -> ProductFacts {
        ProductFacts { has_title, has_description, words, last_synced_at_ms }
    }
}

/// Postgres' `infinity` and `-infinity` are the ends of the range.
fn any_time() -> impl Strategy<Value = i64> {
    prop_oneof![-100 * DAY_MS..10 * DAY_MS, any::<i64>(), Just(i64::MIN), Just(i64::MAX)]
}

proptest! {
    #[test]
    fn signals_lie_between_0_and_1(
        pages in prop::collection::vec(any_page(), 0..6),
        products in prop::collection::vec(any_product(), 0..6),
        now_ms in any_time(),
    ) {
        let signals = tally(&pages, &products).signals(now_ms);
        for (name, value) in serde_json::json!(signals).as_object().into_iter().flatten() {
            // JSON has no NaN and no infinity: they would be null here.
            let value = value.as_f64();
            prop_assert!(value.is_some_and(|value| (0.0..=1.0).contains(&value)), "{name} {value:?}");
        }
        prop_assert!(Score::of(signals).v1.overall <= 95);
        prop_assert!(Score::of(signals).v2.overall <= 100);
    }

    /// Freshness excepted, whose last bits may change.
    #[test]
    fn the_order_of_rows_does_not_count(
        pages in prop::collection::vec(any_page(), 0..8),
        products in prop::collection::vec(any_product(), 0..8),
    ) {
        let forwards = signals(&pages, &products);
        let pages: Vec<_> = pages.into_iter().rev().collect();
        let products: Vec<_> = products.into_iter().rev().collect();
        let backwards = signals(&pages, &products);
        prop_assert!((forwards.content_freshness - backwards.content_freshness).abs() < 1e-6);
        let content_freshness = forwards.content_freshness;
        prop_assert_eq!(forwards, Signals { content_freshness, ..backwards });
    }
}
