//! The status page: one HTML document without scripts or anything to fetch, in English or Japanese.

use crate::actors::notifier::ConsumerStatus;

use super::status::{Community, Gateway, Listener, Scanner, Status, Tenant};
use crate::limits;

/// A language of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    English,
    Japanese,
}

impl Language {
    /// `?lang=` decides, else the Accept-Language header: whichever of ours it weighs most, English if neither.
    pub(super) fn of(query: Option<&str>, accepted: Option<&str>) -> Self {
        let asked = query
            .into_iter()
            .flat_map(|query| query.split('&'))
            .find_map(|pair| pair.strip_prefix("lang=").and_then(Self::named));
        asked.or_else(|| accepted.and_then(Self::preferred)).unwrap_or(Self::English)
    }
    fn named(tag: &str) -> Option<Self> {
        match tag.trim().split('-').next()?.to_ascii_lowercase().as_str() {
            "ja" => Some(Self::Japanese),
            "en" => Some(Self::English),
            _ => None,
        }
    }
    fn preferred(header: &str) -> Option<Self> {
        let weighed = header.split(',').filter_map(|item| {
            let (tag, parameters) = item.split_once(';').unwrap_or((item, ""));
            let weight = parameters.trim().strip_prefix("q=").map_or(Some(1.0), |q| q.parse::<f32>().ok())?;
            Some((Self::named(tag)?, weight))
        });
        // The first of equals.
        weighed.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(language, _)| language)
    }
    /// Its tag.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Japanese => "ja",
        }
    }
    fn words(self) -> &'static Words {
        match self {
            Self::English => &ENGLISH,
            Self::Japanese => &JAPANESE,
        }
    }
}

struct Words {
    title: &'static str,
    other: (&'static str, &'static str),
    listeners: &'static str,
    tenants: &'static str,
    communities: &'static str,
    problems: &'static str,
    no_problems: &'static str,
    no_communities: &'static str,
    gateway_row: [&'static str; 4],
    listener_row: [&'static str; 3],
    tenant_row: [&'static str; 7],
    community_row: [&'static str; 8],
    consumers: &'static str,
    consumer_row: [&'static str; 7],
    insecure: &'static str,
    tls: &'static str,
    plain: &'static str,
    circuits: [&'static str; 4],
    /// None, answers, away and refusing, away and passing.
    scanners: [&'static str; 4],
    never: &'static str,
    /// Days, hours, minutes, seconds.
    units: [&'static str; 4],
    ago: (&'static str, &'static str),
}

const ENGLISH: Words = Words {
    title: "Sekisho: status",
    other: ("ja", "日本語"),
    listeners: "Listeners",
    tenants: "Hosted",
    communities: "Communities",
    problems: "To look at",
    no_problems: "Nothing.",
    no_communities: "No other community is configured.",
    gateway_row: ["homeCommunityId", "mode", "version", "running for"],
    listener_row: ["listener", "address", "protection"],
    tenant_row: ["tenant", "name", "repositoryUniqueId", "documents", "MB", "quota used", "malware scanner"],
    community_row: [
        "community",
        "homeCommunityId",
        "circuit",
        "last answer",
        "requests",
        "failures",
        "hash differences",
        "last failure",
    ],
    consumers: "Told of changed identifiers",
    consumer_row: [
        "consumer",
        "transaction",
        "waiting",
        "told",
        "refused or lost",
        "last told",
        "last problem",
    ],
    insecure: "NOT PROTECTED",
    tls: "TLS",
    plain: "loopback only",
    circuits: ["asked", "not asked: it failed repeatedly", "being probed", "switched off"],
    scanners: [
        "none",
        "answers",
        "AWAY: documents are refused. Start it, or mend content.scanner",
        "AWAY: documents are taken UNSCANNED. Start it, or set scanner_away = \"refuse\"",
    ],
    never: "never",
    units: ["d", "h", "min", "s"],
    ago: ("", " ago"),
};

const JAPANESE: Words = Words {
    title: "関所: 稼働状況",
    other: ("en", "English"),
    listeners: "待受",
    tenants: "預かっている区画",
    communities: "接続先コミュニティ",
    problems: "要確認事項",
    no_problems: "ありません。",
    no_communities: "他のコミュニティは設定されていません。",
    gateway_row: ["homeCommunityId", "動作形態", "版", "稼働時間"],
    listener_row: ["待受", "アドレス", "保護"],
    tenant_row: ["区画", "名称", "repositoryUniqueId", "文書数", "MB", "割当の使用率", "マルウェア検査"],
    community_row: [
        "コミュニティ",
        "homeCommunityId",
        "回路",
        "最終応答",
        "要求数",
        "失敗数",
        "ハッシュ不一致",
        "直近の失敗",
    ],
    consumers: "識別子変更の通知先",
    consumer_row: ["通知先", "トランザクション", "待ち", "通知済み", "拒否・欠落", "最終通知", "直近の問題"],
    insecure: "保護なし",
    tls: "TLS",
    plain: "ループバックのみ",
    circuits: ["照会中", "照会停止(失敗の連続)", "確認中", "無効"],
    scanners: [
        "なし",
        "応答あり",
        "応答なし: 文書を拒否しています。検査サーバーを起動するか、content.scanner を直してください",
        "応答なし: 文書を検査せずに受け入れています。検査サーバーを起動するか、scanner_away = \"refuse\" にしてください",
    ],
    never: "なし",
    units: ["日", "時間", "分", "秒"],
    ago: ("", "前"),
};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1c2733;\
background:#fff}h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}header{display:flex;\
justify-content:space-between;align-items:baseline}table{border-collapse:collapse;width:100%}th,td{text-align:left;\
padding:.4rem .8rem .4rem 0;border-bottom:1px solid #d5dbe1;vertical-align:top}th{font-weight:600;color:#52606d;\
font-size:.85rem}.n{text-align:right;font-variant-numeric:tabular-nums}.bad{color:#b00020;font-weight:700}\
.warn{color:#8a5300;font-weight:600}.id{font-family:ui-monospace,monospace;font-size:.9rem;overflow-wrap:anywhere}\
@media(prefers-color-scheme:dark){body{background:#14191f;color:#e4e9ee}th,td{border-color:#364049}th{color:#9aa7b4}\
.bad{color:#ff8a80}.warn{color:#ffc266}a{color:#8ab8ff}}";

/// The page.
pub(super) fn render(status: &Status, language: Language) -> String {
    let words = language.words();
    let mut out = Html(String::with_capacity(8 * 1024));
    out.raw("<!DOCTYPE html>\n<html lang=\"").raw(language.code()).raw("\"><head><meta charset=\"utf-8\">");
    out.raw("<meta name=\"viewport\" content=\"width=device-width\"><title>").text(words.title);
    out.raw("</title><style>").raw(STYLE).raw("</style></head><body><header><h1>");
    out.text(if status.gateway.name.is_empty() { words.title } else { &status.gateway.name });
    let (code, name) = words.other;
    out.raw("</h1><a href=\"?lang=").raw(code).raw("\">").text(name).raw("</a></header>");
    gateway(&mut out, words, &status.gateway);
    problems(&mut out, words, &status.problems);
    listeners(&mut out, words, &status.listeners);
    tenants(&mut out, words, &status.tenants);
    communities(&mut out, words, &status.communities);
    consumers(&mut out, words, &status.consumers);
    out.raw("</body></html>\n");
    out.0
}

fn gateway(out: &mut Html, words: &Words, gateway: &Gateway) {
    let values = [&gateway.home, gateway.mode, gateway.version, &duration(words, gateway.uptime_seconds)];
    out.raw("<table>");
    for (name, value) in words.gateway_row.iter().zip(values) {
        out.raw("<tr>").cell("th", "", name).cell("td", "id", value).raw("</tr>");
    }
    out.raw("</table>");
}

fn problems(out: &mut Html, words: &Words, problems: &[String]) {
    out.raw("<h2>").text(words.problems).raw("</h2>");
    if problems.is_empty() {
        out.raw("<p>").text(words.no_problems).raw("</p>");
        return;
    }
    out.raw("<ul>");
    for problem in problems {
        out.raw("<li class=\"warn\">").text(problem).raw("</li>");
    }
    out.raw("</ul>");
}

fn listeners(out: &mut Html, words: &Words, listeners: &[Listener]) {
    out.table(words.listeners, &words.listener_row);
    for listener in listeners {
        let (class, protection) = match (listener.insecure, listener.tls) {
            (true, _) => ("bad", words.insecure),
            (false, true) => ("", words.tls),
            (false, false) => ("", words.plain),
        };
        out.raw("<tr>").cell("td", "", &listener.name).cell("td", "id", &listener.address.to_string());
        out.cell("td", class, protection).raw("</tr>");
    }
    out.raw("</table>");
}

fn tenants(out: &mut Html, words: &Words, tenants: &[Tenant]) {
    if tenants.is_empty() {
        return;
    }
    out.table(words.tenants, &words.tenant_row);
    for tenant in tenants {
        let (class, used) = match tenant.used_percent {
            None => ("n", String::new()),
            Some(percent @ 100..) => ("n bad", format!("{percent} %")),
            Some(percent @ limits::QUOTA_WARNING_PERCENT..) => ("n warn", format!("{percent} %")),
            Some(percent) => ("n", format!("{percent} %")),
        };
        out.raw("<tr>").cell("td", "id", &tenant.name).cell("td", "", &tenant.title);
        out.cell("td", "id", &tenant.repository).cell("td", "n", &tenant.documents.to_string());
        out.cell("td", "n", &(tenant.bytes / 1_000_000).to_string()).cell("td", class, &used);
        let [none, answers, refusing, passing] = words.scanners;
        let (class, scanner) = match tenant.scanner {
            None => ("", none),
            Some(Scanner::Answers) => ("", answers),
            Some(Scanner::AwayRefusing) => ("bad", refusing),
            Some(Scanner::AwayPassing) => ("bad", passing),
        };
        out.cell("td", class, scanner).raw("</tr>");
    }
    out.raw("</table>");
}

fn communities(out: &mut Html, words: &Words, communities: &[Community]) {
    if communities.is_empty() {
        out.raw("<h2>").text(words.communities).raw("</h2><p>").text(words.no_communities).raw("</p>");
        return;
    }
    out.table(words.communities, &words.community_row);
    let [asked, not_asked, probed, off] = words.circuits;
    for community in communities {
        let (class, circuit) = match (community.enabled, community.circuit) {
            (false, _) => ("", off),
            (true, "open") => ("bad", not_asked),
            (true, "half-open") => ("warn", probed),
            (true, _) => ("", asked),
        };
        let last = community.last_answer_seconds_ago.map_or_else(
            || words.never.to_owned(),
            |seconds| format!("{}{}{}", words.ago.0, duration(words, seconds), words.ago.1),
        );
        let mismatches = if community.hash_mismatches > 0 { "n bad" } else { "n" };
        out.raw("<tr>").cell("td", "", &community.name).cell("td", "id", &community.home);
        out.cell("td", class, circuit).cell("td", "", &last);
        out.cell("td", "n", &community.requests.to_string());
        out.cell("td", "n", &community.failures.to_string());
        out.cell("td", mismatches, &community.hash_mismatches.to_string());
        out.cell("td", "", community.last_failure.as_deref().unwrap_or_default()).raw("</tr>");
    }
    out.raw("</table>");
}

fn consumers(out: &mut Html, words: &Words, consumers: &[ConsumerStatus]) {
    if consumers.is_empty() {
        return;
    }
    out.table(words.consumers, &words.consumer_row);
    for consumer in consumers {
        let waiting = if consumer.failing { "n bad" } else { "n" };
        let refused = if consumer.refused + consumer.lost > 0 { "n bad" } else { "n" };
        let problem = consumer.last_problem.as_ref();
        let problem = problem.map(|(problem, when)| format!("{problem} ({when})")).unwrap_or_default();
        out.raw("<tr>").cell("td", "", &consumer.name).cell("td", "", consumer.transaction);
        out.cell("td", waiting, &consumer.waiting.to_string());
        out.cell("td", "n", &consumer.told.to_string());
        out.cell("td", refused, &(consumer.refused + consumer.lost).to_string());
        out.cell("td", "", consumer.last_told.as_deref().unwrap_or(words.never)).cell("td", "", &problem);
        out.raw("</tr>");
    }
    out.raw("</table>");
}

/// The two largest units: `3 d 4 h`.
fn duration(words: &Words, seconds: u64) -> String {
    let parts = [seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60];
    let first = parts.iter().position(|part| *part > 0).unwrap_or(parts.len() - 1);
    let named = parts.iter().zip(words.units).skip(first).take(2);
    named.map(|(part, unit)| format!("{part} {unit}")).collect::<Vec<_>>().join(" ")
}

/// HTML being written. Only [`Html::raw`] takes markup, and only ours.
struct Html(String);

impl Html {
    fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }
    fn text(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            match c {
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '&' => self.0.push_str("&amp;"),
                '"' => self.0.push_str("&quot;"),
                c => self.0.push(c),
            }
        }
        self
    }
    fn cell(&mut self, element: &'static str, class: &'static str, text: &str) -> &mut Self {
        self.raw("<").raw(element).raw(" class=\"").raw(class).raw("\">");
        self.text(text).raw("</").raw(element).raw(">")
    }
    fn table(&mut self, title: &str, columns: &[&str]) -> &mut Self {
        self.raw("<h2>").text(title).raw("</h2><table><tr>");
        for column in columns {
            self.cell("th", "", column);
        }
        self.raw("</tr>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_what_was_asked_for() {
        for (query, accepted, expected) in [
            (None, None, Language::English),
            (None, Some("ja,en-US;q=0.7,en;q=0.3"), Language::Japanese),
            (None, Some("en-GB,ja;q=0.5"), Language::English),
            (None, Some("fr,de;q=0.9"), Language::English),
            (None, Some("fr;q=1.0, ja-JP;q=0.4"), Language::Japanese),
            (Some("lang=ja"), Some("en"), Language::Japanese),
            (Some("x=1&lang=en"), Some("ja"), Language::English),
            (Some("lang=xx"), Some("ja"), Language::Japanese),
        ] {
            assert_eq!(Language::of(query, accepted), expected, "{query:?} {accepted:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_red_and_what_others_wrote_stays_text() {
        let community = Community {
            name: "<script>alert(1)</script>".into(),
            enabled: true,
            circuit: "open",
            hash_mismatches: 3,
            last_answer_seconds_ago: Some(3_700),
            ..Community::default()
        };
        let tenant = |used_percent| Tenant {
            used_percent: Some(used_percent),
            scanner: Some(Scanner::AwayPassing),
            ..Tenant::default()
        };
        let listener = Listener {
            name: "http".into(),
            address: "0.0.0.0:8080".parse().unwrap(),
            tls: false,
            insecure: true,
        };
        let status = Status {
            communities: vec![community],
            tenants: [79, 80, 100].map(tenant).into(),
            listeners: vec![listener],
            problems: vec!["a & b".into()],
            ..Status::default()
        };
        let page = render(&status, Language::English);
        for expected in [
            "&lt;script&gt;",
            "<td class=\"bad\">NOT PROTECTED</td>",
            "<td class=\"bad\">not asked",
            "<td class=\"n bad\">3</td>",
            "1 h 1 min ago",
            "a &amp; b",
            "<td class=\"n\">79 %</td>",
            "<td class=\"n warn\">80 %</td>",
            "<td class=\"n bad\">100 %</td>",
            "<td class=\"bad\">AWAY: documents are taken UNSCANNED.",
        ] {
            assert!(page.contains(expected), "{expected} is not in {page}");
        }
        assert!(!page.contains("<script"));
        let page = render(&status, Language::Japanese);
        assert!(page.contains("保護なし") && page.contains("検査せずに受け入れています"), "{page}");
    }
}
