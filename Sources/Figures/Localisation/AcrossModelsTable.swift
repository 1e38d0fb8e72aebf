// The tables of Figure S7: every plotted value, and one line for each model, task and sort of voices.

import Interventions
import Speech
import Tensor

/// One line for each published model, then for each model, task and sort of voices.
///
/// - Parameter most: the share of a map's cells that a bottleneck has at most
public func acrossModelsTable(
  _ published: [PublishedRow], _ results: [TaskResult], _ most: Double
) -> String {
  let estimates = [
    "sufficiency", "necessity", "unrelated", "contrast", "depth", "depth10", "depth90", "early",
    "near", "near.unrelated", "duration_ms", "joint", "takes_over", "depth.unrelated",
    "early.unrelated", "duration_ms.unrelated",
  ]
  var lines = [
    (["model", "voices", "task", "source", "asked", "entering"]
      + estimates.flatMap { [$0, "\($0).low", "\($0).high"] }
      + ["cells", "family", "significant", "block", "block_share", "qualifying_share", "verdict"])
      .joined(separator: "\t")
  ]
  func triple(_ value: Estimate?) -> [String] {
    value.map { ["\($0.value)", "\($0.low)", "\($0.high)"] } ?? ["NA", "NA", "NA"]
  }
  for row in published {
    let values = estimates.flatMap { name -> [String] in
      switch name {
      case "sufficiency": triple(row.sufficiency)
      case "necessity": triple(row.necessity)
      case "unrelated": triple(row.unrelated)
      case "near": ["\(row.near)", "NA", "NA"]
      default: triple(nil)
      }
    }
    let start = [row.model, row.voices, row.task, row.source, "NA", "NA"]
    lines.append((start + values + Array(repeating: "NA", count: 7)).joined(separator: "\t"))
  }
  for result in results {
    let (reading, place, control) = (
      result.reading, result.reading.localisation[0], result.reading.control
    )
    let values: [Estimate?] = [
      reading.moment[0], reading.moment[1], reading.unrelated, reading.contrast, place.depth,
      place.range[0], place.range[1], place.early, place.near, control.near,
      place.duration, place.joint, place.takesOver, control.depth, control.early, control.duration,
    ]
    let verdict = reading.verdict
    let block = verdict.block.map { block in
      let names = TaskWindows.names
      let windows =
        block.windows.count == 1
        ? names[block.windows.lowerBound]
        : "\(names[block.windows.lowerBound]) to \(names[block.windows.upperBound - 1])"
      return "\(result.sites[block.sites.lowerBound]) to "
        + "\(result.sites[block.sites.upperBound - 1]), \(windows)"
    }
    let row =
      [
        result.model, result.voices, result.task.title, "this run", "\(reading.asked)",
        "\(reading.entering)",
      ]
      + values.flatMap(triple)
      + [
        "\(verdict.cells)", "\(verdict.significance.family)",
        "\(verdict.significance.significant())", block ?? "none", "\(verdict.blockShare)",
        "\(verdict.share)", verdict.holds(upTo: most) ? "bottleneck" : "none",
      ]
    lines.append(row.joined(separator: "\t"))
  }
  return lines.joined(separator: "\n") + "\n"
}

/// Every plotted value, one a line.
func plottedTable(_ results: [TaskResult], _ factors: [FactorResult]) -> String {
  var lines = ["model\tpanel\tseries\tplace\tvalue\tlow\thigh"]
  func add(_ start: [String], _ value: Estimate) {
    lines.append(
      (start + ["\(value.value)", "\(value.low)", "\(value.high)"]).joined(separator: "\t"))
  }
  for result in results {
    for (direction, map) in [
      ("sufficiency", result.reading.sufficiency), ("necessity", result.reading.necessity),
    ] {
      for (site, row) in zip(result.sites, map) {
        for (window, value) in zip(TaskWindows.names, row) {
          lines.append(
            "\(result.model)\tmap\t\(result.voices), \(result.task.title), \(direction)\t"
              + "\(site)@\(window)\t\(value.map { "\($0)" } ?? "NA")\t\t")
        }
      }
    }
  }
  for factor in factors {
    for (site, curve) in zip(factor.sites, factor.leakage) {
      for (step, value) in curve.enumerated() {
        let place = step == 0 ? "inside" : "\(Int(Leakage.step) * (step - 1))ms"
        lines.append("\(factor.model)\tleakage\t\(site)\t\(place)\t\(value)\t\t")
      }
    }
    for (site, width) in zip(factor.sites, factor.width) {
      add([factor.model, "leakage", "\(site)", "width_ms"], width)
    }
    for reading in factor.stability {
      add([factor.model, "stability", reading.name, "spearman"], reading.spearman)
      add([factor.model, "stability", reading.name, "shift_ms"], reading.shift)
    }
    for (name, reading) in factor.preserving {
      for (i, window) in preservingNames.enumerated() {
        add([factor.model, name, window, "text moved"], reading.text[i])
        add([factor.model, name, window, "transcript stays"], reading.same[i])
        add([factor.model, name, window, "word errors"], reading.errors[i])
        if !reading.voice.isEmpty {
          add([factor.model, name, window, "voice moved"], reading.voice[i])
        }
      }
    }
    for (name, values) in [
      ("clean moment", factor.noise.moment), ("clean sound", factor.noise.whole),
      ("moment of an unrelated item", factor.noise.unrelated),
    ] {
      for (site, value) in zip(factor.sites, values) {
        if let value { add([factor.model, "noise", name, "\(site)"], value) }
      }
    }
  }
  return lines.joined(separator: "\n") + "\n"
}
