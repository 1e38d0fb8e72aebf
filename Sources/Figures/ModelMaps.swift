// Figure S1: the causal maps of several checkpoints beside each other.

import Interventions
import Plot
import Speech

/// What one checkpoint's map shows.
public struct ModelMap: Sendable {
  public let name: String
  public let sites: [Site]
  /// Sufficiency by [site][window], windows as `LockedWindows.ofTime` orders them.
  public let values: [[Double?]]
  /// Recovery of everything before the changed phone, of its window, and of everything behind it, by
  /// site; the last one is the phone's window in the same model with random weights.
  public let curves: [Profile]

  public init(name: String, sites: [Site], values: [[Double?]], curves: [Profile]) {
    self.name = name
    self.sites = sites
    self.values = values
    self.curves = curves
  }
}

/// One row a checkpoint: its map, and along depth what each part of the sound moves.
public func modelMapsFigure(
  _ models: [ModelMap], windows: LockedWindows, phones: [PhoneSpan]
) -> DrawnFigure {
  var figure = Figure(width: Figure.full, height: 56 * Double(models.count) + 11)
  let rows = figure.area.rows(models.map { _ in 56.0 } + [9], gap: 0.5)
  let colors = ColorScale.diverging(limit: 1)
  var drawn: [HeatMap] = []
  for (i, model) in models.enumerated() {
    let columns = rows[i].columns([106, 71], gap: 2)
    let letter = { (offset: Int) in "\(Character(UnicodeScalar(UInt8(97 + 2 * i + offset))))" }
    drawn += figure.addMap(
      letter(0), model.name, model.values, of: model.sites, windows, in: columns[0], colors,
      named: true, phones: phones, text: windows.textPlaces,
      marks: [])
    figure.add(
      depthPanel(
        letter(1), "Parts of the sound, by depth", model.curves, model.sites, in: columns[1],
        legend: i == 0 ? .topRight : nil))
  }
  figure.add(
    ColorBar(
      "Share of the answer gap moved by the patch",
      in: Rect(left: 70, top: rows[models.count].top + 1, width: 50, height: 2), of: drawn))
  return DrawnFigure(drawing: figure, table: table(models, windows), caption: caption)
}

private let caption =
  "Causal maps (sufficiency) of checkpoints with different training and connectors, and along depth "
  + "the recovery of everything before the changed phone, of the phone's window, of everything behind "
  + "it, and of the phone's window in the same model with random weights."

/// Every plotted value, one a line: checkpoint, panel, site, window or curve, value, bounds.
private func table(_ models: [ModelMap], _ windows: LockedWindows) -> String {
  var lines = ["checkpoint\tsite\twindow\tvalue\tlow\thigh"]
  let names = windows.names
  for model in models {
    for (site, row) in zip(model.sites, model.values) {
      for (name, value) in zip(names, row) {
        lines.append("\(model.name)\t\(site)\t\(name)\t\(value.map { "\($0)" } ?? "NA")\t\t")
      }
    }
    for curve in model.curves {
      for (site, value) in zip(model.sites, curve.values) {
        guard let value else { continue }
        lines.append(
          "\(model.name)\t\(site)\t\(curve.name)\t\(value.value)\t\(value.low)\t\(value.high)")
      }
    }
  }
  return lines.joined(separator: "\n") + "\n"
}
