// The shares of a pair that several shards have measured, put together to what one process measures.

import Interventions

/// The same grid from grids that each lack cells of the others.
private func joined<T>(_ grids: [[[T?]]]) -> [[T?]] {
  guard var whole = grids.first else { return [] }
  for grid in grids.dropFirst() {
    for (row, cells) in grid.enumerated() {
      for (column, cell) in cells.enumerated() where cell != nil { whole[row][column] = cell }
    }
  }
  return whole
}

/// The same of each direction.
private func joined<T>(_ shares: [[[[T?]]]]) -> [[[T?]]] {
  guard let first = shares.first else { return [] }
  return first.indices.map { d in joined(shares.map { $0[d] }) }
}

extension MeasuredPair {
  /// - Parameters:
  ///   - shares: what shards have measured of one pair, the one that has its runs first
  ///   - name: the pair, for errors
  /// - Throws: where the shards do not have the same runs, so that their machines do not compute alike.
  init(joining shares: [MeasuredPair], of name: String) throws {
    let first = shares[0]
    guard shares.dropFirst().allSatisfy({ $0.clean == first.clean && $0.corrupt == first.corrupt })
    else {
      throw CellError(
        "pair \(name): its shards have other values for the same unpatched runs, so the machines do not "
          + "compute alike; use nodes with the same libopenblas, and compute all shards again with --fresh"
      )
    }
    let cost = shares.reduce(Cost()) { $0 + $1.cost }
    self.init(
      clean: first.clean, corrupt: first.corrupt, patched: joined(shares.map(\.patched)),
      controls: first.controls.keys.reduce(into: [:]) { all, name in
        all[name] = joined(shares.map { $0.controls[name] ?? [] })
      },
      estimates: first.estimates,
      spoken: first.spoken.map {
        SpokenCells(
          clean: $0.clean, corrupt: $0.corrupt,
          patched: joined(shares.compactMap { $0.spoken?.patched }))
      },
      alignments: first.alignments, alignmentCosts: first.alignmentCosts,
      searchCost: first.searchCost, cost: cost)
  }
}
