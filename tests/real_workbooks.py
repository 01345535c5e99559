"""Ten workbooks as people write them, with what their outputs are by a script: built by openpyxl, without values."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import xlsxwriter
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.formula import ArrayFormula
from openpyxl.worksheet.table import Table
from scipy.stats import norm


@dataclass(frozen=True)
class RealWorkbook:
    """How a workbook is written, its uncertain cells and outputs, and what these are, from a frame of the inputs."""

    write: Callable[[Any], None]
    inputs: dict[str, str]
    outputs: list[str]
    answers: Callable[[pd.DataFrame], list[Any]]
    correlations: tuple[tuple[str, str, float], ...] = ()


def _rows(sheet: Any, first: int, rows: Any, column: int = 1) -> None:
    for r, row in enumerate(rows, start=first):
        for c, value in enumerate(row, start=column):
            sheet.cell(r, c, value)


def _name(book: Any, name: str, place: str) -> None:
    book.defined_names[name] = DefinedName(name, attr_text=place)


def _investment(book: Any) -> None:
    """NPV and IRR of a project over two sheets, with names."""
    inputs, flows = book.active, book.create_sheet("Cash flows")
    inputs.title = "Inputs"
    labels = (("Capex", -1000), ("First cash flow", 250), ("Growth", 0.04), ("Discount rate", 0.09), ("Tax", 0.25))
    _rows(inputs, 1, labels)
    for row, name in enumerate(("capex", "cash", "growth", "wacc", "tax"), start=1):
        _name(book, name, f"Inputs!$B${row}")
    flows["A1"], flows["B1"] = "Year", "After tax"
    _rows(flows, 2, ([0, "=capex"], [1, "=cash*(1-tax)"]))
    _rows(flows, 4, ([year, f"=B{year + 1}*(1+growth)"] for year in range(2, 9)))
    flows["D1"], flows["E1"] = "NPV", "=B2+NPV(wacc,B3:B10)"
    flows["D2"], flows["E2"] = "IRR", "=IRR(B2:B10)"
    flows["D3"], flows["E3"] = "Go?", '=IF(AND(E1>0,E2>wacc),"go","stop")'
    flows["D4"], flows["E4"] = "Flag", '=IF(E3="go",1,0)'


def _investment_answers(x: pd.DataFrame) -> list[Any]:
    years = np.arange(1, 9)
    flows = x["cash"].to_numpy()[:, None] * 0.75 * (1 + x["growth"].to_numpy()[:, None]) ** (years - 1)
    value = -1000 + (flows / (1 + x["wacc"].to_numpy()[:, None]) ** years).sum(axis=1)
    return [value, (value > 0).astype(float)]


def _budget(book: Any) -> None:
    """A household budget in a table, with SUMIF by category and structured references."""
    sheet = book.active
    sheet.title = "Budget"
    lines = [
        ("Item", "Category", "Amount", "Share"),
        ("Rent", "Home", 900),
        ("Power", "Home", 120),
        ("Food", "Living", 450),
        ("Fuel", "Car", 160),
        ("Insurance", "Car", 60),
        ("Fun", "Living", 200),
    ]
    _rows(sheet, 1, lines)
    for row in range(2, 8):
        sheet.cell(row, 4, "=Costs[[#This Row],[Amount]]/SUM(Costs[Amount])")
    sheet.add_table(Table(displayName="Costs", ref="A1:D7"))
    _rows(sheet, 1, (["Income", 2400], ["Living", '=SUMIF(Costs[Category],"Living",Costs[Amount])']), 6)
    sheet["F3"], sheet["G3"] = "Left", "=G1-SUM(Costs[Amount])"
    sheet["F4"], sheet["G4"] = "Largest share", "=MAX(Costs[Share])"
    sheet["F5"], sheet["G5"] = "Saved", '=IF(G3<0,"debt",ROUND(G3,0))'
    sheet["F6"], sheet["G6"] = "In debt", "=IF(ISTEXT(G5),1,0)"


def _budget_answers(x: pd.DataFrame) -> list[Any]:
    food, power = x["C4"], x["C3"]
    total = 900 + power + food + 160 + 60 + 200
    left = x["Budget!G1"] - total
    share = pd.concat([900 / total, power / total, food / total], axis=1).max(axis=1)
    return [food + 200, left, share, (left < 0).astype(float)]


def _loan(book: Any) -> None:
    """A loan's schedule of 36 months with dates, and the interest of a year."""
    sheet = book.active
    sheet.title = "Loan"
    _rows(sheet, 1, (["Principal", 20000], ["Rate", 0.06], ["Months", 36], ["Payment", "=-PMT(B2/12,B3,B1)"]))
    sheet["A5"], sheet["B5"] = "Start", dt.date(2024, 1, 31)
    _rows(sheet, 7, (["Date", "Balance", "Interest", "Repaid"],))
    for k in range(36):
        row = 8 + k
        sheet.cell(row, 1, f"=EDATE($B$5,{k + 1})")
        sheet.cell(row, 2, "=$B$1" if not k else f"=B{row - 1}-D{row - 1}")
        sheet.cell(row, 3, f"=B{row}*$B$2/12")
        sheet.cell(row, 4, f"=$B$4-C{row}")
    sheet["F1"], sheet["G1"] = "Interest 2025", "=SUMPRODUCT((YEAR(A8:A43)=2025)*C8:C43)"
    sheet["F2"], sheet["G2"] = "All interest", "=SUM(C8:C43)"
    sheet["F3"], sheet["G3"] = "Check", "=ABS(G2+CUMIPMT(B2/12,B3,B1,1,B3,0))"
    sheet["F4"], sheet["G4"] = "2025 share", '=SUMIFS(C8:C43,A8:A43,">="&DATE(2025,1,1),A8:A43,"<"&DATE(2026,1,1))/G2'


def _loan_answers(x: pd.DataFrame) -> list[Any]:
    rate = x["B2"].to_numpy() / 12
    payment = 20000 * rate / (1 - (1 + rate) ** -36)
    balance, interest = np.full(len(x), 20000.0), []
    for _ in range(36):
        interest.append(balance * rate)
        balance = balance - (payment - interest[-1])
    # The first payment is on 29 February 2024, the twelfth on 31 January 2025.
    of_2025 = sum(interest[11:23])
    return [of_2025, sum(interest), of_2025 / sum(interest)]


def _project(book: Any) -> None:
    """Costs of a project by PERT in three columns, a path of two branches, a contingency."""
    sheet = book.active
    sheet.title = "Project"
    tasks = (("Design", 10, 14, 25), ("Build", 30, 40, 70), ("Test", 8, 12, 30), ("Train", 5, 6, 9))
    _rows(sheet, 1, (["Task", "Low", "Likely", "High", "Days", "Cost"],))
    for row, (task, low, mode, high) in enumerate(tasks, start=2):
        _rows(
            sheet,
            row,
            (
                [
                    task,
                    low,
                    mode,
                    high,
                    f"=(B{row}+4*C{row}+D{row})/6",
                    f"=E{row}*VLOOKUP(A{row},Rates!$A$1:$B$4,2,FALSE)",
                ],
            ),
        )
    _rows(book.create_sheet("Rates"), 1, (["Build", 900], ["Design", 1100], ["Test", 700], ["Train", 500]))
    sheet["A7"], sheet["B7"] = "Duration", "=E2+MAX(E3+E4,E3+E5)"
    sheet["A8"], sheet["B8"] = "Cost", "=SUM(F2:F5)"
    sheet["A9"], sheet["B9"] = "Late", "=IF(B7>80,B7-80,0)*2000"
    sheet["A10"], sheet["B10"] = "Total", "=B8+B9"


def _project_answers(x: pd.DataFrame) -> list[Any]:
    design, build, test = x["E2"], x["E3"], x["E4"]
    days = design + build + np.maximum(test, 38 / 6)
    cost = design * 1100 + build * 900 + test * 700 + 38 / 6 * 500
    return [days, cost + np.maximum(days - 80, 0) * 2000]


def _call_centre(book: Any) -> None:
    """Staffing by Erlang C: POISSON over agents, a look-up of the first number that is enough."""
    sheet = book.active
    sheet.title = "Staffing"
    _rows(sheet, 1, (["Calls an hour", 60], ["Minutes", 4], ["Erlangs", "=B1*B2/60"], ["Target", 0.8], ["Seconds", 20]))
    _rows(sheet, 7, (["Agents", "P(wait)", "Service level"],))
    for agents in range(1, 21):
        row = 7 + agents
        body = f"POISSON(A{row},$B$3,FALSE)"
        wait = f"=IF(A{row}<=$B$3,1,{body}/({body}+(1-$B$3/A{row})*POISSON(A{row}-1,$B$3,TRUE)))"
        level = f"=IF(A{row}<=$B$3,0,1-B{row}*EXP(-(A{row}-$B$3)*$B$5/($B$2*60)))"
        _rows(sheet, row, ([agents, wait, level],))
    sheet["E1"], sheet["F1"] = "Needed", "=IFERROR(INDEX(A8:A27,MATCH(TRUE,INDEX(C8:C27>=B4,0),0)),21)"
    sheet["E2"], sheet["F2"] = "Needed (count)", '=MIN(21,1+COUNTIF(C8:C27,"<"&B4))'
    sheet["E3"], sheet["F3"] = "Cost", '=F2*VALUE(LEFT("25 EUR",2))'


def _call_centre_answers(x: pd.DataFrame) -> list[Any]:
    from scipy.stats import poisson

    load = x["B1"].to_numpy() * x["B2"].to_numpy() / 60
    needed = np.ones(len(x))
    for agents in range(1, 21):
        body = poisson.pmf(agents, load)
        wait = body / (body + (1 - load / agents) * poisson.cdf(agents - 1, load))
        level = np.where(agents <= load, 0, 1 - wait * np.exp(-(agents - load) * 20 / (x["B2"] * 60)))
        needed += level < 0.8
    needed = np.minimum(needed, 21)
    return [needed, 25 * needed]


def _retirement(book: Any) -> None:
    """Thirty years of saving and spending, with returns that the sheet itself draws by NORM.INV(RAND(), …)."""
    sheet = book.active
    sheet.title = "Retirement"
    _rows(sheet, 1, (["Start", 100000], ["Saving", 12000], ["Spending", 45000], ["Mean", 0.05], ["Std", 0.12]))
    _rows(sheet, 7, (["Year", "Return", "Wealth"], [0, None, "=B1"]))
    for year in range(1, 31):
        row = 8 + year
        flow = "$B$2" if year <= 15 else "-$B$3"
        _rows(sheet, row, ([year, "=_xlfn.NORM.INV(RAND(),$B$4,$B$5)", f"=MAX(0,C{row - 1}*(1+B{row})+{flow})"],))
    sheet["E1"], sheet["F1"] = "Final", "=C38"
    sheet["E2"], sheet["F2"] = "Ruin year", '=IFERROR(INDEX(A9:A38,MATCH(0,C9:C38,0)),"never")'
    sheet["E3"], sheet["F3"] = "Ruined", '=IF(F2="never",0,1)'


def _retirement_answers(x: pd.DataFrame) -> list[Any]:
    wealth, ruined = np.full(len(x), 100000.0), np.zeros(len(x), dtype=bool)
    for year in range(1, 31):
        growth = norm.ppf(x[f"Retirement.B{8 + year}.random"]) * 0.12 + 0.05
        wealth = np.maximum(0, wealth * (1 + growth) + (x["B2"] if year <= 15 else -45000))
        ruined |= wealth == 0
    return [wealth, ruined.astype(float)]


def _inventory(book: Any) -> None:
    """A reorder policy over 20 days: stock, orders that arrive after two days, costs by CHOOSE and text."""
    sheet = book.active
    sheet.title = "Stock"
    _rows(sheet, 1, (["Reorder at", 40], ["Order", 60], ["Demand", 18], ["Season", "high"], ["Lost sale", 5]))
    sheet["A6"], sheet["B6"] = "Factor", '=SWITCH(B4,"high",1.2,"low",0.8,1)'.replace("SWITCH", "_xlfn.SWITCH")
    _rows(sheet, 8, (["Day", "Begin", "Demand", "Sold", "End", "Ordered"],))
    for day in range(1, 21):
        row = 8 + day
        arrived = f"+F{row - 2}" if day > 2 else ""
        begin = "=80" if day == 1 else f"=E{row - 1}{arrived}"
        demand = f"=ROUND($B$3*$B$6*CHOOSE(MOD(A{row}-1,5)+1,1,0.9,0.8,1.1,1.4),0)"
        order = f"=IF(E{row}<$B$1,$B$2,0)*(MOD(A{row},2)=0)"
        _rows(sheet, row, ([day, begin, demand, f"=MIN(B{row},C{row})", f"=B{row}-D{row}", order],))
    sheet["H1"], sheet["I1"] = "Lost", "=SUM(C9:C28)-SUM(D9:D28)"
    sheet["H2"], sheet["I2"] = "Cost", '=I1*B5+AVERAGE(E9:E28)*0.3*20+COUNTIF(F9:F28,">0")*15'


def _inventory_answers(x: pd.DataFrame) -> list[Any]:
    def excel_round(values: Any) -> Any:
        return np.floor(values + 0.5 + values * 4e-15)

    end = np.full(len(x), 80.0)
    lost, held, orders = np.zeros(len(x)), np.zeros(len(x)), np.zeros(len(x))
    ordered: list[Any] = []
    for day in range(1, 21):
        begin = end + (ordered[day - 3] if day > 2 else 0)
        demand = excel_round(x["B3"] * 1.2 * (1, 0.9, 0.8, 1.1, 1.4)[(day - 1) % 5])
        sold = np.minimum(begin, demand)
        end = begin - sold
        ordered.append(np.where((end < x["B1"]) & (day % 2 == 0), 60, 0))
        lost, held, orders = lost + demand - sold, held + end, orders + (ordered[-1] > 0)
    return [lost, lost * 5 + held / 20 * 0.3 * 20 + orders * 15]


def _option(book: Any) -> None:
    """An option by Black and Scholes, and by a path of 12 months that the sheet draws."""
    sheet = book.active
    sheet.title = "Option"
    _rows(sheet, 1, (["Spot", 100], ["Strike", 105], ["Rate", 0.03], ["Vol", 0.2], ["Years", 1]))
    sheet["A7"], sheet["B7"] = "d1", "=(LN(B1/B2)+(B3+B4^2/2)*B5)/(B4*SQRT(B5))"
    sheet["A8"], sheet["B8"] = "d2", "=B7-B4*SQRT(B5)"
    sheet["A9"], sheet["B9"] = "Call", "=B1*_xlfn.NORM.S.DIST(B7,TRUE)-B2*EXP(-B3*B5)*NORMSDIST(B8)"
    sheet["D1"] = "Path"
    sheet["D2"] = "=B1"
    for k in range(12):
        sheet.cell(3 + k, 4, f"=D{2 + k}*EXP(($B$3-$B$4^2/2)/12+$B$4*SQRT(1/12)*NORMSINV(RAND()))")
    sheet["F1"], sheet["G1"] = "Payoff", "=MAX(D14-B2,0)*EXP(-B3*B5)"
    sheet["F2"], sheet["G2"] = "Asian", "=MAX(AVERAGE(D3:D14)-B2,0)*EXP(-B3*B5)"


def _option_answers(x: pd.DataFrame) -> list[Any]:
    vol = x["B4"]
    d1 = (np.log(100 / 105) + 0.03 + vol**2 / 2) / vol
    call = 100 * norm.cdf(d1) - 105 * np.exp(-0.03) * norm.cdf(d1 - vol)
    spot, path = 100.0, []
    for k in range(12):
        drawn = norm.ppf(x[f"Option.D{3 + k}.random"])
        spot = spot * np.exp((0.03 - vol**2 / 2) / 12 + vol * np.sqrt(1 / 12) * drawn)
        path.append(spot)
    return [call, np.maximum(path[-1] - 105, 0) * np.exp(-0.03), np.maximum(sum(path) / 12 - 105, 0) * np.exp(-0.03)]


def _units(book: Any) -> None:
    """Unit economics: LTV and CAC by channel, tiers of prices by XLOOKUP and approximate VLOOKUP, working days."""
    sheet, tiers = book.active, book.create_sheet("Tiers")
    sheet.title = "Units"
    _rows(tiers, 1, (["From", "Discount"], [0, 0], [500, 0.05], [1000, 0.1], [5000, 0.2]))
    _rows(sheet, 1, (["Customers", 900], ["Price", 30], ["Churn", 0.04], ["CAC", 120], ["Margin", 0.7]))
    sheet["A7"], sheet["B7"] = "Discount", "=VLOOKUP(B1,Tiers!$A$2:$B$5,2,TRUE)"
    sheet["A8"], sheet["B8"] = "Discount 2", "=_xlfn.XLOOKUP(B1,Tiers!A2:A5,Tiers!B2:B5,0,-1)"
    sheet["A9"], sheet["B9"] = "ARPU", "=B2*(1-B7)"
    sheet["A10"], sheet["B10"] = "LTV", "=IF(B3=0,NA(),B9*B5/B3)"
    sheet["A11"], sheet["B11"] = "LTV/CAC", "=B10/B4"
    sheet["A12"], sheet["B12"] = "Payback", "=ROUNDUP(B4/(B9*B5),0)"
    days = "=NETWORKDAYS(DATE(2024,1,1),EOMONTH(DATE(2024,1,1),B12-1))"
    sheet["A13"], sheet["B13"] = "Days", days
    sheet["A14"], sheet["B14"] = "Grade", '=IFERROR(INDEX({"poor","fair","good"},1,MATCH(B11,{0,2,4},1)),"none")'
    sheet["A15"], sheet["B15"] = "Good", '=N(B14="good")'
    sheet["A16"], sheet["B16"] = "Same", "=IF(B7=B8,1,0)"


def _units_answers(x: pd.DataFrame) -> list[Any]:
    customers = x["B1"]
    discount = np.select([customers >= 5000, customers >= 1000, customers >= 500], [0.2, 0.1, 0.05], 0.0)
    arpu = 30 * (1 - discount)
    ratio = arpu * 0.7 / x["B3"] / x["B4"]
    months = np.ceil(np.round(x["B4"] / (arpu * 0.7), 12))
    last = [np.datetime64("2024-01") + int(m) for m in months]
    days = [np.busday_count("2024-01-01", np.datetime64(m, "D")) for m in last]
    return [ratio, np.array(days, dtype=float), (ratio >= 4).astype(float), np.ones(len(x))]


def _insurance(book: Any) -> None:
    """Layers of reinsurance over losses that are set by an array formula, with a named list and OFFSET."""
    sheet = book.active
    sheet.title = "Layers"
    _rows(sheet, 1, (["Loss", "Amount"], ["Fire", 120], ["Wind", 80], ["Flood", 300], ["Quake", 40]))
    _name(book, "Losses", "OFFSET(Layers!$B$2,0,0,COUNTA(Layers!$A$2:$A$20),1)")
    _rows(sheet, 1, (["Attachment", "Limit", "Recovered"], [50, 100], [150, 200]), 4)
    for row in (2, 3):
        sheet[f"F{row}"] = ArrayFormula(
            f"F{row}", f"=SUM(IF(Losses>D{row},IF(Losses-D{row}>E{row},E{row},Losses-D{row}),0))"
        )
    sheet["H1"], sheet["I1"] = "Gross", "=SUM(Losses)"
    sheet["H2"], sheet["I2"] = "Net", "=I1-SUM(F2:F3)"
    sheet["H3"], sheet["I3"] = "Largest two", "=LARGE(Losses,1)+LARGE(Losses,2)"
    sheet["H4"], sheet["I4"] = "Ceded %", "=ROUND(SUM(F2:F3)/I1,4)"
    for row in range(2, 6):
        sheet[f"K{row}"] = ArrayFormula("K2:K5", "=B2:B5/SUM(B2:B5)") if row == 2 else None
    sheet["H5"], sheet["I5"] = "Concentration", "=SUMSQ(K2:K5)"


def _insurance_answers(x: pd.DataFrame) -> list[Any]:
    losses = np.column_stack([x["B2"], x["B3"], x["B4"], np.full(len(x), 40.0)])
    layers = np.clip(losses - 50, 0, 100).sum(axis=1) + np.clip(losses - 150, 0, 200).sum(axis=1)
    gross = losses.sum(axis=1)
    ordered = np.sort(losses, axis=1)
    return [gross - layers, ordered[:, -1] + ordered[:, -2], ((losses / gross[:, None]) ** 2).sum(axis=1)]


WORKBOOKS: dict[str, RealWorkbook] = {
    "investment": RealWorkbook(
        _investment,
        {"cash": "normal(250, 40)", "growth": "pert(0, 0.04, 0.08)", "wacc": "uniform(0.07, 0.12)"},
        ["'Cash flows'!E1", "'Cash flows'!E4"],
        _investment_answers,
        (("cash", "growth", 0.4),),
    ),
    "budget": RealWorkbook(
        _budget,
        {"C4": "triangular(350, 450, 700)", "C3": "lognormal(p5=80, p95=200)", "Budget!G1": "normal(2000, 200)"},
        ["G2", "G3", "G4", "G6"],
        _budget_answers,
    ),
    "loan": RealWorkbook(_loan, {"B2": "uniform(0.03, 0.09)"}, ["G1", "G2", "G4"], _loan_answers),
    "project": RealWorkbook(
        _project,
        {"E2": "pert(10, 14, 25)", "E3": "pert(30, 40, 70)", "E4": "pert(3, 6, 30)"},
        ["B7", "B10"],
        _project_answers,
    ),
    "call center": RealWorkbook(
        _call_centre, {"B1": "normal(60, 15, low=5)", "B2": "uniform(3, 6)"}, ["F2", "F3"], _call_centre_answers
    ),
    "retirement": RealWorkbook(_retirement, {"B2": "uniform(8000, 16000)"}, ["F1", "F3"], _retirement_answers),
    "inventory": RealWorkbook(
        _inventory, {"B3": "uniform(10, 30)", "B1": "uniform(20, 60)"}, ["I1", "I2"], _inventory_answers
    ),
    "option": RealWorkbook(_option, {"B4": "uniform(0.1, 0.4)"}, ["B9", "G1", "G2"], _option_answers),
    "units": RealWorkbook(
        _units,
        {"B1": "uniform(100, 8000)", "B3": "uniform(0.02, 0.08)", "B4": "normal(120, 20, low=20)"},
        ["B11", "B13", "B15", "B16"],
        _units_answers,
    ),
    "insurance": RealWorkbook(
        _insurance,
        {"B2": "lognormal(4.5, 0.6)", "B3": "lognormal(4.2, 0.5)", "B4": "lognormal(5, 0.8)"},
        ["I2", "I3", "I5"],
        _insurance_answers,
    ),
}


def write_workbook(name: str, path: Path) -> Path:
    """Writes one of them."""
    book = openpyxl.Workbook()
    WORKBOOKS[name].write(book)
    book.save(path)
    return path


YEARS = 20


def plan_book(path: Path, stale: float = 0.0) -> Path:
    """Twenty years of a product as people write them: a row a quantity, a column a year. stale: added to a value."""
    with xlsxwriter.Workbook(path) as book:
        book.set_properties({"created": dt.datetime(2024, 1, 1)})
        sheet = book.add_worksheet("Plan")
        for row, (label, value) in enumerate(
            (("price", 10), ("volume", 1000), ("cost", 6), ("growth", 0.03), ("rate", 0.08))
        ):
            sheet.write(row, 0, label)
            sheet.write(row, 1, value)
            book.define_name(label, f"=Plan!$B${row + 1}")
        profits = []
        for year in range(YEARS):
            letter, before = (xlsxwriter.utility.xl_col_to_name(year + k) for k in (1, 0))
            volume = 1000 * 1.03**year
            growing = "=volume" if not year else f"={before}7*(1+$B$4)"
            sheet.write_formula(6, year + 1, growing, None, volume)
            sheet.write_formula(7, year + 1, f"={letter}7*price", None, volume * 10)
            sheet.write_formula(8, year + 1, f"={letter}7*cost+500", None, volume * 6 + 500)
            profits.append(volume * 4 - 500)
            sheet.write_formula(9, year + 1, f"={letter}8-{letter}9", None, profits[-1] + stale * (year == 3))
        value = sum(profit / 1.08 ** (year + 1) for year, profit in enumerate(profits))
        sheet.write_formula("B12", "=NPV(rate,B10:U10)-2000", None, value - 2000)
        sheet.write_formula("B13", "=SUM(B10:U10)", None, sum(profits))
    return path
