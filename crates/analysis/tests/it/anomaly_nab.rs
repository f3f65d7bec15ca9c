//! The Numenta Anomaly Benchmark's series of cloud servers, with one setting for all of them.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]
#![expect(clippy::print_stderr, reason = "the figures are for people")]

use std::{collections::BTreeMap, fs, path::Path};

use chrono::{DateTime, NaiveDateTime, Utc};
use larder_analysis::{AnomalyOptions, TimeSeries, detect_anomalies};

type Window = (DateTime<Utc>, DateTime<Utc>);

/// Series, and when (UTC) an anomaly that people labelled is: `realAWSCloudwatch/*` of `labels/combined_windows.json` of
/// <https://github.com/numenta/NAB> at commit 07b379d95ac2d1137aaa0a84c63cf2cf2d6b40b8 (MIT). For where the corpus has none.
const WINDOWS: [(&str, &str, &str); 30] = [
    ("ec2_cpu_utilization_24ae8d", "2014-02-26 13:45", "2014-02-27 06:25"),
    ("ec2_cpu_utilization_24ae8d", "2014-02-27 08:55", "2014-02-28 01:35"),
    ("ec2_cpu_utilization_53ea38", "2014-02-19 10:50", "2014-02-20 03:30"),
    ("ec2_cpu_utilization_53ea38", "2014-02-23 11:45", "2014-02-24 04:25"),
    ("ec2_cpu_utilization_5f5533", "2014-02-18 16:02", "2014-02-19 08:42"),
    ("ec2_cpu_utilization_5f5533", "2014-02-24 10:17", "2014-02-25 02:57"),
    ("ec2_cpu_utilization_77c1ca", "2014-04-08 17:30", "2014-04-10 03:00"),
    ("ec2_cpu_utilization_825cc2", "2014-04-14 22:59", "2014-04-16 08:29"),
    ("ec2_cpu_utilization_ac20cd", "2014-04-14 07:49", "2014-04-15 17:34"),
    ("ec2_cpu_utilization_c6585a", "2014-04-14 10:34", "2014-04-15 20:04"),
    ("ec2_cpu_utilization_fe7f93", "2014-02-16 21:52", "2014-02-17 14:32"),
    ("ec2_cpu_utilization_fe7f93", "2014-02-21 15:42", "2014-02-22 08:22"),
    ("ec2_disk_write_bytes_1ef3de", "2014-03-10 01:29", "2014-03-11 16:49"),
    ("ec2_disk_write_bytes_c0d644", "2014-04-08 19:55", "2014-04-09 07:05"),
    ("ec2_disk_write_bytes_c0d644", "2014-04-10 09:00", "2014-04-10 20:10"),
    ("ec2_disk_write_bytes_c0d644", "2014-04-12 18:25", "2014-04-13 05:35"),
    ("ec2_network_in_257a54", "2014-04-14 23:59", "2014-04-16 09:29"),
    ("ec2_network_in_5abac7", "2014-03-10 09:06", "2014-03-11 04:46"),
    ("ec2_network_in_5abac7", "2014-03-12 11:11", "2014-03-13 06:51"),
    ("elb_request_count_8c0756", "2014-04-12 09:04", "2014-04-13 01:44"),
    ("elb_request_count_8c0756", "2014-04-22 11:14", "2014-04-23 03:54"),
    ("grok_asg_anomaly", "2014-01-20 02:05", "2014-01-20 14:55"),
    ("grok_asg_anomaly", "2014-01-21 04:20", "2014-01-21 17:10"),
    ("grok_asg_anomaly", "2014-01-28 18:20", "2014-01-29 07:10"),
    ("iio_us-east-1_i-a2eb1cd9_NetworkIn", "2013-10-10 10:35", "2013-10-10 15:45"),
    ("iio_us-east-1_i-a2eb1cd9_NetworkIn", "2013-10-10 18:05", "2013-10-10 23:15"),
    ("rds_cpu_utilization_cc0c53", "2014-02-24 22:50", "2014-02-25 15:35"),
    ("rds_cpu_utilization_cc0c53", "2014-02-26 16:30", "2014-02-27 09:10"),
    ("rds_cpu_utilization_e47b3b", "2014-04-12 22:32", "2014-04-13 15:12"),
    ("rds_cpu_utilization_e47b3b", "2014-04-18 15:07", "2014-04-19 07:47"),
];

const LEAST_FOUND: f64 = 0.7;
const MOST_FALSE_A_WEEK: f64 = 1.0;
const WEEK_SECONDS: f64 = 604_800.0;

fn moment(text: &str) -> DateTime<Utc> {
    let whole = if text.len() == 16 { format!("{text}:00") } else { text.to_owned() };
    NaiveDateTime::parse_from_str(&whole, "%Y-%m-%d %H:%M:%S%.f").unwrap().and_utc()
}

fn windows(folder: &Path) -> BTreeMap<String, Vec<Window>> {
    let labels = fs::read_to_string(folder.join("anomaly_windows.json")).unwrap();
    let labels: BTreeMap<String, Vec<(String, String)>> = serde_json::from_str(&labels).unwrap();
    let mut windows: BTreeMap<String, Vec<Window>> = BTreeMap::new();
    for (file, of_file) in &labels {
        let Some(name) = file.strip_prefix("realAWSCloudwatch/") else { continue };
        let name = name.trim_end_matches(".csv").to_owned();
        windows.entry(name).or_default().extend(of_file.iter().map(|(from, to)| (moment(from), moment(to))));
    }
    if windows.is_empty() {
        for (name, from, to) in WINDOWS {
            windows.entry(name.to_owned()).or_default().push((moment(from), moment(to)));
        }
    }
    windows
}

fn series(file: &Path) -> TimeSeries {
    let text = fs::read_to_string(file).unwrap();
    let lines = text.lines().skip(1).map(|line| line.split_once(',').unwrap());
    lines.map(|(at, value)| (moment(at), value.trim().parse::<f64>().unwrap())).collect()
}

/// What was found in a series, and what was cried for nothing.
struct Tally {
    found: u32,
    labelled: u32,
    wrong: u32,
    weeks: f64,
}

impl Tally {
    /// An alarm counts for a window where it begins within. All of a series' time counts, that in which the detector only learns as
    /// well; a value stands for the step that it begins.
    fn of(series: &TimeSeries, windows: &[Window]) -> Self {
        let alarms = detect_anomalies(series, &AnomalyOptions::default()).episodes;
        let is_in = |at: DateTime<Utc>, (from, to): &Window| *from <= at && at <= *to;
        let found = windows.iter().filter(|window| alarms.iter().any(|alarm| is_in(alarm.from, window)));
        let wrong = alarms.iter().filter(|alarm| !windows.iter().any(|window| is_in(alarm.from, window)));
        let step = series.typical_step().unwrap().to_std().unwrap();
        Self {
            found: u32::try_from(found.count()).unwrap(),
            labelled: u32::try_from(windows.len()).unwrap(),
            wrong: u32::try_from(wrong.count()).unwrap(),
            weeks: (series.span() + step).as_secs_f64() / WEEK_SECONDS,
        }
    }

    fn wrong_a_week(&self) -> f64 {
        f64::from(self.wrong) / self.weeks
    }

    fn share(&self) -> f64 {
        f64::from(self.found) / f64::from(self.labelled)
    }
}

fn sum(tallies: &BTreeMap<String, Tally>) -> Tally {
    let none = Tally { found: 0, labelled: 0, wrong: 0, weeks: 0.0 };
    tallies.values().fold(none, |sum, tally| Tally {
        found: sum.found + tally.found,
        labelled: sum.labelled + tally.labelled,
        wrong: sum.wrong + tally.wrong,
        weeks: sum.weeks + tally.weeks,
    })
}

fn print(name: &str, tally: &Tally) {
    let Tally { found, labelled, wrong, weeks } = tally;
    eprintln!("{name:36} {found:2} of {labelled:2}  {wrong:5}  {weeks:5.1}  {:12.2}", tally.wrong_a_week());
}

#[test]
fn labelled_anomalies_of_cloud_servers_are_found_without_crying_wolf() {
    let Ok(corpora) = std::env::var("LARDER_CORPORA") else {
        eprintln!("skipped: LARDER_CORPORA does not say where the series are");
        return;
    };
    let folder = Path::new(&corpora).join("series/nab");
    if !folder.is_dir() {
        eprintln!("skipped: there is no {}", folder.display());
        return;
    }
    let tallies: BTreeMap<String, Tally> = windows(&folder)
        .into_iter()
        .map(|(name, windows)| {
            let series = series(&folder.join(format!("realAWSCloudwatch/{name}.csv")));
            (name, Tally::of(&series, &windows))
        })
        .collect();
    eprintln!("{:37}   found  false  weeks  false a week", "series");
    for (name, tally) in &tallies {
        print(name, tally);
    }
    let all = sum(&tallies);
    print("all", &all);
    assert_eq!((tallies.len(), all.labelled), (17, 30));
    assert!(all.share() >= LEAST_FOUND, "{} of {} found", all.found, all.labelled);
    for (name, tally) in &tallies {
        let rate = tally.wrong_a_week();
        assert!(rate <= MOST_FALSE_A_WEEK, "{name}: {rate} false alarms a week");
    }
}
