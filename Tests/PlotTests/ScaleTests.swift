import Plot
import Testing

@Test func aScaleMapsItsEndsAndExtrapolates() {
  let scale = Scale(from: -1, to: 3, start: 10, end: 50)
  #expect(scale(-1) == 10)
  #expect(scale(3) == 50)
  #expect(scale(0) == 20)
  #expect(scale(4) == 60)
  let up = Scale(from: 0, to: 1, start: 30, end: 10)
  #expect(up(0.25) == 25)
}

@Test(arguments: [
  (-560.0...880.0, 7, ["−400", "−200", "0", "200", "400", "600", "800"]),
  (-0.4...0.4, 4, ["−0.4", "−0.2", "0.0", "0.2", "0.4"]),
  (0.0...1.0, 10, ["0.0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "1.0"]),
  (0.0...7.0, 7, ["0", "1", "2", "3", "4", "5", "6", "7"]),
  (0.0...0.05, 5, ["0.00", "0.01", "0.02", "0.03", "0.04", "0.05"]),
  (3.1...3.2, 1, ["3.1", "3.2"]),
  (0.0...3e7, 3, ["0", "1×10⁷", "2×10⁷", "3×10⁷"]),
])
func ticksStandAtRoundNumbers(range: ClosedRange<Double>, count: Int, labels: [String]) {
  let found = ticks(in: range, about: count)
  #expect(found.map(\.label) == labels)
  #expect(found.allSatisfy { range.contains($0.value) })
}

@Test func ticksAreExact() {
  #expect(ticks(in: 0...1, about: 10).map(\.value) == (0...10).map { Double($0) / 10 })
}

@Test func aRoundRangeContainsAllAndIsNotWasteful() {
  #expect(roundRange(containing: [0.03, 0.71], about: 4) == 0...0.8)
  #expect(roundRange(containing: [-0.2, 0.8], about: 5) == -0.2...0.8)
  #expect(roundRange(containing: [-3, .nan, .infinity, 12], about: 3) == -5...15)
  #expect(roundRange(containing: [2, 2], about: 2) == 1.5...2.5)
  #expect(roundRange(containing: []) == 0...1)
}

@Test(arguments: [
  (0.5, 2, "0.50"), (-0.5, 1, "−0.5"), (-0.001, 2, "0.00"), (12, 0, "12"), (0.999, 2, "1.00"),
  (1.05, 2, "1.05"), (-1234.5, 1, "−1234.5"), (2.5e-7, 8, "2.5×10⁻⁷"), (-3e6, 0, "−3×10⁶"),
  (9.999e6, 0, "1×10⁷"), (.infinity, 1, "∞"), (0, 7, "0.00000"),
])
func numbersAreWrittenAlike(value: Double, decimals: Int, text: String) {
  #expect(number(value, decimals: decimals) == text)
}

@Test func partsFillARectangle() {
  let page = Rect(left: 2, top: 3, width: 100, height: 50)
  let columns = page.columns([1, 3], gap: 4)
  #expect(columns.map(\.width) == [24, 72])
  #expect(columns[1].left == 30)
  #expect(columns[1].right == page.right)
  #expect(columns.allSatisfy { $0.top == 3 && $0.height == 50 })
  let rows = page.rows([2, 2, 1])
  #expect(rows.map(\.top) == [3, 23, 43])
  #expect(
    page.inset(by: Insets(left: 1, bottom: 5)) == Rect(left: 3, top: 3, width: 99, height: 45))
}

@Test func rowZeroIsTheLowestOfAGrid() {
  let grid = CellGrid(columns: [0, 10, 40], rows: [0, 1, 2])
  let frame = Frame(Rect(left: 0, top: 0, width: 40, height: 20), x: 0...40, y: 0...2)
  #expect(
    grid.rect(Cell(row: 0, column: 1), in: frame) == Rect(left: 10, top: 10, width: 30, height: 10))
}
