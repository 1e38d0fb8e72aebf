// Rows of the ledger that an ablation gives.

import Interventions
import Notebook

extension Notebook {
  /// Records rows under `ablation.AXIS.SERIES.PANEL.PLACE`, and of those that have it what chance gives.
  public func numbers(_ rows: [AblationRow], of axis: String) {
    for row in rows where row.number.value.isFinite {
      let parts = [row.series, row.panel, row.place].map(hyphenated)
      let name = (["ablation", axis] + parts).joined(separator: ".")
      number(name, row.number)
      if let chance = row.chance { number("\(name).chance", chance, tolerance: 1e-6) }
    }
  }
}

/// The words and numbers of a name with hyphens between them.
private func hyphenated(_ name: String) -> String {
  name.split { !($0.isASCII && ($0.isLetter || $0.isNumber)) }.joined(separator: "-")
}
