use std::collections::HashMap;

use super::{
    assets::{self, ASSETS},
    attestation, device, devices, entry, network, onboarding, overview, sample, swap,
    view::{Fleet, Href, OverviewBody, Posture, Text},
};

const STYLE: &str = include_str!("../../assets/style.css");
const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x onerror=a>&\u{202e}\r\n\u{7}";

/// Every page there is, with a name for the message.
fn pages() -> Vec<(String, String)> {
    let mut pages = vec![
        ("overview", overview::page(&sample::overview())),
        ("overview-empty", overview::page(&sample::empty_overview())),
        ("devices", devices::page(&sample::devices(50))),
        ("devices-none", devices::page(&sample::wrong_filter())),
        ("device", device::page(&sample::device())),
        ("device-new", device::page(&sample::new_device())),
        ("results", attestation::list_page(&sample::results(50))),
        ("results-none", attestation::list_page(&sample::results(0))),
        ("result", attestation::page(&sample::result())),
        ("result-altered", attestation::page(&sample::altered_result())),
        ("onboardings", onboarding::list_page(&sample::onboardings(50))),
        ("onboardings-none", onboarding::list_page(&sample::onboardings(0))),
        ("onboarding", onboarding::page(&sample::onboarding())),
        ("network", network::page(&sample::network())),
        ("network-none", network::page(&sample::empty_network())),
        ("login", entry::login(&sample::login())),
        ("welcome", entry::welcome(&sample::welcome(true))),
        ("welcome-used", entry::welcome(&sample::welcome(false))),
        ("confirm", entry::confirm(&sample::confirm())),
    ]
    .into_iter()
    .map(|(name, page)| (name.to_owned(), page.into_string()))
    .collect::<Vec<_>>();
    for failure in sample::failures() {
        pages.push((failure.problem.status().to_string(), entry::failure(&failure).into_string()));
    }
    pages
}

/// The tags of a page: name and everything up to the `>`, and the text up to its end tag.
fn tags<'p>(page: &'p str, name: &str) -> Vec<(&'p str, &'p str)> {
    let (open, close) = (format!("<{name}"), format!("</{name}>"));
    page.match_indices(&open)
        .filter_map(|(at, _)| page.get(at + open.len()..))
        .filter(|rest| rest.starts_with([' ', '>']))
        .filter_map(|rest| rest.split_once('>'))
        .map(|(attributes, rest)| (attributes, rest.split(&close).next().unwrap_or_default()))
        .collect()
}

fn attribute<'p>(attributes: &'p str, name: &str) -> Option<&'p str> {
    attributes.split_once(&format!(" {name}=\""))?.1.split('"').next()
}

#[test]
fn no_page_needs_more_than_its_security_policy_allows() {
    for (name, page) in pages() {
        let markup = page.to_lowercase();
        assert!(!markup.contains(" style=") && !markup.contains("<style"), "{name}");
        for (attributes, text) in tags(&page, "script") {
            assert!(attributes.contains(" src=\"/assets/") && text.is_empty(), "{name}: {attributes}");
        }
        for handler in [" onclick", " onload", " onerror=\"", " onsubmit", "javascript:", " srcdoc"] {
            assert!(!markup.contains(handler), "{name}: {handler}");
        }
        for attribute_name in ["href", "src", "action"] {
            for (_, rest) in page
                .match_indices(&format!(" {attribute_name}=\""))
                .map(|(at, found)| page.split_at(at + found.len()))
            {
                assert!(
                    rest.starts_with('#') || rest.starts_with('/') && !rest.starts_with("//"),
                    "{name}: {rest:.40}"
                );
            }
        }
    }
}

#[test]
fn every_id_is_unique_and_every_reference_to_an_id_of_the_page_is_met() {
    for (name, page) in pages() {
        let mut ids: HashMap<&str, usize> = HashMap::new();
        for id in page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            *ids.entry(id).or_default() += 1;
        }
        assert!(ids.values().all(|n| *n == 1), "{name}: {ids:?}");
        let refer = ["href=\"#", "aria-labelledby=\"", "aria-describedby=\"", " for=\""];
        for reference in refer.iter().flat_map(|refer| page.split(refer).skip(1)) {
            for id in reference.split('"').next().unwrap_or_default().split(' ') {
                assert!(ids.contains_key(id), "{name}: no element has the id {id}");
            }
        }
    }
}

#[test]
fn every_page_has_one_h1_a_title_and_a_way_past_the_navigation() {
    for (name, page) in pages() {
        assert_eq!(tags(&page, "h1").len(), 1, "{name}");
        assert_eq!(tags(&page, "main").len(), 1, "{name}");
        assert!(
            tags(&page, "title").first().is_some_and(|(_, title)| title.ends_with(" · Sextant")),
            "{name}"
        );
        assert!(page.contains("<html lang=\"en\"") && page.contains("href=\"#main\""), "{name}");
    }
}

#[test]
fn every_button_link_and_field_has_a_name() {
    for (name, page) in pages() {
        for (attributes, content) in
            [tags(&page, "a"), tags(&page, "button"), tags(&page, "summary")].concat()
        {
            let words: String = content.split('<').filter_map(|part| part.split('>').next_back()).collect();
            let named = !words.trim().is_empty()
                || attribute(attributes, "aria-label").is_some_and(|label| !label.is_empty());
            assert!(named, "{name}: {attributes}");
        }
        for (attributes, _) in tags(&page, "input") {
            let hidden = attribute(attributes, "type") == Some("hidden");
            let labelled =
                attribute(attributes, "id").is_some_and(|id| page.contains(&format!("for=\"{id}\"")));
            assert!(hidden || labelled, "{name}: {attributes}");
        }
        for (attributes, _) in tags(&page, "svg") {
            let silent = attributes.contains("aria-hidden=\"true\"") || attributes.contains(" hidden");
            let named = attributes.contains("aria-label=") || attributes.contains("aria-labelledby=");
            assert!(silent || named, "{name}: {attributes}");
        }
    }
}

#[test]
fn text_from_outside_is_escaped_wherever_it_stands() {
    let mut page = sample::device();
    page.frame.title = HOSTILE.into();
    page.facts = vec![HOSTILE.into()];
    page.components.rows[0].name = HOSTILE.into();
    page.components.rows[0].version = Some(HOSTILE.into());
    page.flows.rows[0].destination = HOSTILE.into();
    page.flows.rows[0].why = HOSTILE.into();
    page.chain.measured[0].name = HOSTILE.into();
    page.timeline[0].says = super::words::reason(sample::NOW, HOSTILE, [(HOSTILE, HOSTILE)]);
    page.six[0].answer = HOSTILE.into();
    if let Some(evidence) = &mut page.evidence {
        evidence.root.value = HOSTILE.into();
        evidence.root.label = Some(HOSTILE.into());
    }
    let mut list = sample::devices(1);
    list.rows[0].name = HOSTILE.into();
    list.rows[0].href = Href::route("/devices").segment(HOSTILE).query("q", HOSTILE);
    if let Some(visitor) = &mut list.frame.visitor {
        visitor.filter = HOSTILE.into();
    }
    let mut results = sample::results(1);
    results.rows[0].name = HOSTILE.into();
    results.rows[0].kind = HOSTILE.into();
    let mut result = sample::result();
    result.frame.title = HOSTILE.into();
    result.facts = vec![HOSTILE.into()];
    result.parts[0].name = HOSTILE.into();
    result.parts[0].facts = vec![("Profile", HOSTILE.into())];
    let mut waiting = sample::onboardings(1);
    waiting.rows[0].name = HOSTILE.into();
    waiting.templates[0].name = HOSTILE.into();
    waiting.templates[0].networks = vec![HOSTILE.into()];
    let mut onboarded = sample::onboarding();
    onboarded.frame.title = HOSTILE.into();
    onboarded.known = vec![("Made as", HOSTILE.into())];
    onboarded.timeline[0].detail = Some(HOSTILE.into());
    let pages = [
        onboarding::list_page(&waiting),
        onboarding::page(&onboarded),
        device::page(&page),
        devices::page(&list),
        attestation::list_page(&results),
        attestation::page(&result),
    ];
    for markup in pages {
        let markup = markup.into_string();
        assert!(markup.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;"));
        assert!(!markup.contains("<script>") && !markup.contains("<img"));
        assert!(!markup.contains(['\u{202e}', '\r', '\u{7}']));
    }
}

#[test]
fn text_is_cut_at_its_limit() {
    assert_eq!(Text::from("x".repeat(Text::MAX_CHARS)).as_str(), "x".repeat(Text::MAX_CHARS));
    assert_eq!(Text::from("x".repeat(Text::MAX_CHARS + 1)).as_str(), "x".repeat(Text::MAX_CHARS) + "…");
}

#[test]
fn a_link_stays_on_this_server() {
    let rows = [
        ("/devices?q=a", true),
        ("/", true),
        ("", false),
        ("devices", false),
        ("https://evil.example/", false),
        ("//evil.example/", false),
        ("/\\evil.example/", false),
        ("/a\r\nb", false),
    ];
    for (path, local) in rows {
        assert_eq!(Href::parse_local(path).is_some(), local, "{path}");
    }
    let href = Href::route("/devices").segment("a/../b").query("q", "x&y=z #").fragment("flows");
    assert_eq!(href.as_str(), "/devices/a%2F..%2Fb?q=x%26y%3Dz%20%23#flows");
}

#[test]
fn a_block_is_what_the_page_holds_and_has_its_id() {
    let page = overview::page(&sample::overview()).into_string();
    for id in overview::BLOCKS {
        let block = overview::block(id, &sample::overview()).expect(id).into_string();
        assert!(page.contains(&block) && first_id(&block) == Some(id), "{id}");
    }
    let page = device::page(&sample::device()).into_string();
    for id in device::BLOCKS {
        let block = device::block(id, &sample::device()).expect(id).into_string();
        assert!(page.contains(&block) && first_id(&block) == Some(id), "{id}");
        let new = device::block(id, &sample::new_device()).expect(id).into_string();
        assert_eq!(first_id(&new), Some(id), "a block without content keeps its place");
    }
    let page = attestation::page(&sample::result()).into_string();
    for id in attestation::BLOCKS {
        let block = attestation::block(id, &sample::result()).expect(id).into_string();
        assert!(page.contains(&block) && first_id(&block) == Some(id), "{id}");
        let altered = attestation::block(id, &sample::altered_result()).expect(id).into_string();
        assert_eq!(first_id(&altered), Some(id), "a block without content keeps its place");
    }
    let list = attestation::list_block("list", &sample::results(3)).expect("the list").into_string();
    assert!(attestation::list_page(&sample::results(3)).into_string().contains(&list));
    assert!(attestation::block("no-such-block", &sample::result()).is_none());
    assert!(overview::block("no-such-block", &sample::overview()).is_none());
    assert!(device::block("no-such-block", &sample::device()).is_none());
    let swapped = swap(device::BLOCKS.iter().filter_map(|id| device::block(id, &sample::device())));
    assert!(swapped.starts_with("<span") && !swapped.contains('\r'));
}

#[test]
fn expected_stands_above_measured_with_what_they_are_to_each_other_between() {
    let page = device::page(&sample::device()).into_string();
    let table = page.split_once("<section id=\"components\"").expect("there is one").1;
    let table = table.split("</section>").next().unwrap_or_default();
    let rows: Vec<&str> = table.split("<tr data-row>").skip(1).collect();
    let signs =
        [("app", Some("≠"), "Differs"), ("boot", Some("="), "Same"), ("model", None, "Optional, not there")];
    assert_eq!(rows.len(), signs.len());
    for (row, (name, sign, verdict)) in rows.into_iter().zip(signs) {
        assert!(row.contains(&format!("<bdi>{name}</bdi>")) && row.contains(verdict), "{name}");
        let (above, below) = row.split_once("</p>").expect("two lines");
        assert!(above.contains("Expected") && below.contains("Measured"), "{name}");
        let between = below.split("<p>").next().unwrap_or_default();
        assert_eq!(sign.is_some(), between.contains("role=\"img\""), "{name}");
        assert!(sign.is_none_or(|sign| between.contains(sign)), "{name}");
    }
}

#[test]
fn a_result_shows_each_part_with_its_verdict_its_reasons_and_what_is_expected_of_it() {
    let page = attestation::page(&sample::result()).into_string();
    let parts: Vec<&str> = page.split("<section id=\"part-").skip(1).collect();
    let rows = [
        ("EAT", "Contraindicated", "BL runs software that no release contains.", 3),
        ("EAT/modem", "Contraindicated", "The evidence answers an older question.", 0),
        ("EAT/radio", "Affirming", "Named by a manifest, ", 3),
    ];
    assert_eq!(parts.len(), rows.len());
    for (part, (name, verdict, says, components)) in parts.into_iter().zip(rows) {
        assert!(part.contains(&format!("<bdi>{name}</bdi>")) && part.contains(verdict), "{name}");
        assert!(part.contains(says), "{name}: {part}");
        assert_eq!(part.split("Expected </span>").count() - 1, components, "{name}");
    }
    let altered = attestation::page(&sample::altered_result()).into_string();
    assert!(altered.contains("Nothing of it is believed.") && !altered.contains("<section id=\"part-"));
}

fn first_id(block: &str) -> Option<&str> {
    block.split_once('>').and_then(|(tag, _)| attribute(tag, "id"))
}

#[test]
fn the_counts_of_the_overview_sum_to_its_devices() {
    let view = sample::overview();
    let OverviewBody::Fleet(Fleet { postures, .. }) = &view.body else { panic!("the sample has devices") };
    assert_eq!(postures.total(), Posture::ALL.into_iter().map(|posture| postures.of(posture)).sum::<u64>());
    let page = overview::page(&view).into_string();
    let marks: usize = page
        .split("<path class=\"s-")
        .skip(1)
        .filter(|path| path.contains("<title>"))
        .map(|path| {
            path.split_once(" d=\"")
                .map_or(0, |(_, d)| d.split('"').next().unwrap_or_default().matches('M').count())
        })
        .sum();
    assert_eq!(marks, 50, "one mark, one device");
}

#[test]
fn says_what_the_design_says_when_a_page_cannot_be_given() {
    let said: HashMap<u16, String> = sample::failures()
        .iter()
        .map(|failure| (failure.problem.status(), entry::failure(failure).into_string()))
        .collect();
    let rows = [
        (403, "Only an administrator may do this."),
        (404, "Not here, or not yours to see."),
        (409, "Nadia Okafor released it at "),
        (503, "Gateways keep the policies they have."),
    ];
    for (status, words) in rows {
        assert!(said[&status].contains(words), "{status}");
    }
    assert!(said.values().all(|page| page.contains("Request <code>r-7f3k2</code>")));
    assert!(said[&404].contains("<form class=\"find wide\""), "offers the filter");
}

#[test]
fn the_last_good_page_says_how_old_it_is() {
    let mut view = sample::overview();
    view.frame.as_of = Some(super::words::age(sample::NOW, sample::NOW - 48_000_000));
    let page = overview::page(&view).into_string();
    assert!(page.contains("This is the page as it was <time datetime=\"2026-11-23T14:11:48Z\""));
    assert!(page.contains(" data-age>48 s ago</time>"));
}

#[test]
fn every_posture_is_found_by_its_word() {
    for posture in Posture::ALL {
        assert_eq!(Posture::from_text(posture.as_str()), Some(posture));
    }
    assert_eq!(Posture::from_text("Trusted"), None);
}

#[test]
fn a_mistake_in_the_filter_keeps_what_was_typed_and_marks_the_place() {
    let page = devices::page(&sample::wrong_filter()).into_string();
    assert!(page.contains("value=\"posture:stale modle:welcome-cam\""));
    assert!(page.contains("posture:stale <mark>modle:</mark>welcome-cam"));
    assert!(page.contains("No field <code>modle</code>. Did you mean <code>model</code>?"));
}

#[test]
fn a_secret_never_travels_back_to_the_browser() {
    let mut view = sample::login();
    view.form.fields[2].value = "correct horse".into();
    assert!(!entry::login(&view).into_string().contains("correct horse"));
}

#[test]
fn pages_and_assets_keep_to_their_weight() {
    for (name, page) in pages() {
        assert!(page.len() < 60_000, "{name}: {} bytes", page.len());
    }
    assert!(STYLE.len() < 36_000, "style.css: {} bytes", STYLE.len());
    assert!(assets::asset("app.js").is_some_and(|script| script.content.len() < 8_000));
    assert!(ASSETS.iter().all(|asset| !asset.content.contains("url(")), "a page loads nothing else");
    assert!(assets::asset("sprite.svg").is_none());
}

/// The custom properties of the block that begins with this selector.
fn tokens(selector: &str) -> HashMap<&'static str, &'static str> {
    let block = STYLE.split_once(selector).and_then(|(_, rest)| rest.split('}').next()).expect(selector);
    let declarations = block.split(';').filter_map(|declaration| declaration.trim().split_once(':'));
    declarations.map(|(name, value)| (name.trim(), value.trim())).collect()
}

#[test]
fn both_blocks_of_dark_tokens_are_equal_and_cover_every_colour_of_the_light_ones() {
    let (light, by_system, by_choice) = (
        tokens(":root {"),
        tokens(":root:not([data-theme=\"light\"]) {"),
        tokens(":root[data-theme=\"dark\"] {"),
    );
    assert_eq!(by_system, by_choice);
    for (name, value) in light.iter().filter(|(_, value)| value.starts_with('#')) {
        assert!(by_choice.get(name).is_some_and(|dark| dark.starts_with('#')), "{name}: {value}");
    }
}

#[test]
fn colours_keep_the_contrast_of_the_design_in_both_themes() {
    // Text on surface, text on tint, fill on surface; light, then dark.
    let postures = [
        (Posture::Trusted, [6.6, 5.7, 3.8], [9.3, 8.3, 5.7]),
        (Posture::Outdated, [6.4, 5.6, 3.6], [9.6, 8.6, 5.9]),
        (Posture::Untrusted, [6.5, 5.5, 4.6], [8.1, 7.4, 4.7]),
        (Posture::Unknown, [7.2, 6.1, 4.3], [8.5, 7.8, 5.1]),
        (Posture::Stale, [6.3, 5.3, 3.5], [8.3, 7.2, 4.5]),
        (Posture::Quarantined, [8.5, 7.1, 5.5], [8.0, 7.5, 4.2]),
    ];
    let others = [
        ("--ink", "--surface", 16.5, 14.6),
        ("--ink-2", "--surface", 8.1, 9.4),
        ("--ink-3", "--surface", 5.3, 6.1),
        ("--on-accent", "--accent", 7.6, 8.9),
        ("--accent", "--surface", 7.6, 8.4),
        ("--field", "--surface", 3.0, 3.6),
    ];
    for (theme, tokens) in [(0, tokens(":root {")), (1, tokens(":root[data-theme=\"dark\"] {"))] {
        let check = |text: &str, ground: &str, least: f64| {
            let ratio = contrast(tokens[text], tokens[ground]);
            assert!(
                (ratio * 10.0).round() / 10.0 >= least,
                "theme {theme}: {text} on {ground} is {ratio:.2}, not {least}"
            );
        };
        for (posture, light, dark) in postures {
            let [text, tint, fill] = if theme == 0 { light } else { dark };
            let name = format!("--{}", posture.as_str());
            check(&name, "--surface", text);
            check(&name, &format!("{name}-tint"), tint);
            check(&format!("{name}-fill"), "--surface", fill);
        }
        for (text, ground, light, dark) in others {
            check(text, ground, if theme == 0 { light } else { dark });
        }
    }
}

/// The contrast ratio of WCAG 2.2.
fn contrast(a: &str, b: &str) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

fn luminance(colour: &str) -> f64 {
    let channel = |at: usize| {
        let value = f64::from(
            u8::from_str_radix(&colour[at..at + 2], 16).expect("a colour is six hexadecimal digits"),
        ) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}
